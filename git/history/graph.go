package history

type commitGraph struct{}
