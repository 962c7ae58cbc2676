//go:build race

package detectors

// raceDetector says that the tests run under the race detector, where each
// byte costs ten times as much.
const raceDetector = true
