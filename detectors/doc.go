// Package detectors finds tokens. What a token looks like is data, a [Format]
// for each kind (see docs/formats.md); [Compile] turns a set of formats into
// one [Matcher], whose cost does not grow with their number.
//
// # How the engine works
//
// A token is long and has no spaces, and most of any text is short words.
// So the engine looks for runs: stretches of letters, digits and the few other
// characters that tokens have. Of a run shorter than the shortest that any
// format guarantees, only the byte that would be its last is read, and those
// before it up to the first that is not of the class; most bytes of a source
// file are never looked at.
//
// Each format is reached by one or more routes, which Compile derives from its
// pattern; a format for which there is none is refused with the reason.
//
//   - By a gram: four bytes that every token has at a known place, where the
//     pattern leaves little choice ("ghp_", or "s-ok" in front of a run). At
//     each position of a run a bitmap of hashes of grams is asked, and behind
//     it a table.
//   - By a length: some tokens have no literal part, but are exactly n bytes
//     between boundaries. Each run is split into the maximal runs of every
//     boundary class, and a table says which formats wait for that length.
//   - By a header: blocks such as PEM keys are lines of base64. At the start of
//     a run that begins a line the header is looked for by going back.
//
// A boundary is a class of bytes none of which may touch a token. It holds on
// both sides, but not on one where the pattern, beside its group, says itself
// what stands there.
//
// What a route finds is a candidate: a format and the place where its token
// would start. It must pass, the cheapest test first: the byte before, the
// pattern, the byte after, the checksum or structure and the likeness of a
// placeholder (judge), and the context word. A format that has literal bytes
// and a checksum needs no boundaries, so a token is found in "\nghp_..." or
// glued to other text, whatever its length.
//
// Patterns are not run by package regexp. They are bounded and simple, so a
// small matcher computes all positions at which a match may end at once, in
// time linear in what it reads (walk).
//
// # Changes
//
// A match rests on its evidence, data[From:To], and on nothing else. Hence when
// data is a changed copy of a base, the matches whose evidence was copied can
// be taken over ([Matcher.Inherit]), and all others are near a change
// ([Matcher.FindNear]). Together they are what Find returns.
package detectors
