// Package history reads a whole local git repository: every blob of its object
// store once, and for given blobs the commits and paths that brought them in.
//
// It only reads. It runs no hooks and no filters, resolves no replace refs or
// grafts, fetches nothing, and follows no symbolic link out of the git
// directory or the work tree. The repository's configuration is parsed, never
// carried out: where git itself is needed (see [Stats].Fallback), it runs in a
// scratch git directory with nothing but the objects of this repository.
//
// Packs, loose objects, alternates and refs of both kinds, files and reftable,
// are read natively, for SHA-1 and SHA-256 repositories. What cannot be read is
// never left out in silence: it is a [Problem], one clear sentence each. What is
// noticed to be missing, and what is not, is said at [Repository.WalkBlobs].
//
// go-git parses the index and the configuration. Trees and commits are parsed
// here: there are millions of them, anyone may have written them, and go-git's
// know SHA-1 names only. So are ignore patterns: go-git's ignore files that git
// does not.
//
// Which commits count as reachable: those that a ref, HEAD or the HEAD of a
// linked work tree reaches. Objects that only a reflog or the index mentions
// are read like all others, but are not reachable; of the stash only the latest
// entry is a ref.
package history
