package sqlite

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
)

// ErrClosed is the error of a write to a database that was closed.
var ErrClosed = errors.New("the database is closed")

// maxTogether is how many writes are committed at once.
const maxTogether = 256

// A job is one call of Write.
type job struct {
	ctx   context.Context
	f     func(*sql.Tx) error
	err   error
	panic any
	done  chan struct{}
}

// Write runs f in a transaction that is committed and synced to disk when Write
// returns nil. When it returns an error nothing of f is in the database, unless
// the error is of the commit itself ([ErrUnclear]): then it may be. A context
// that ends while f waits for its turn ends the wait; once f runs, Write tells
// what came of it.
//
// f may share its transaction with those of other calls: it runs after them,
// sees what they did, and only what it did itself is undone when it fails. It
// runs on another goroutine, and again when what ran beside it broke the
// transaction. It must not end the transaction nor keep it, nor call Write.
func (db *DB) Write(ctx context.Context, f func(tx *sql.Tx) error) error {
	j := &job{ctx: ctx, f: f, done: make(chan struct{})}
	select {
	case db.waiting <- j:
	case <-ctx.Done():
		return context.Cause(ctx)
	case <-db.closing:
		return ErrClosed
	}
	<-j.done
	if j.panic != nil {
		panic(j.panic)
	}
	return classified(j.err)
}

// ErrUnclear is the error of a write of which it is not known whether it is in
// the database: the commit failed. It must be done again, in a way that does no
// harm if it is.
var ErrUnclear = errors.New("whether it was stored is not known")

// Prepare returns a statement to be used with [sql.Tx.StmtContext] in writes,
// for those that run often. It must not be called inside of a write. Closing the
// database closes it.
func (db *DB) Prepare(ctx context.Context, query string) (*sql.Stmt, error) {
	return db.writer.PrepareContext(ctx, query)
}

// write is the goroutine that runs jobs.
func (db *DB) write() {
	for {
		select {
		case first := <-db.waiting:
			jobs := db.gather(first)
			db.commit(jobs)
			for _, j := range jobs {
				close(j.done)
			}
		case <-db.closing:
			return
		}
	}
}

// gather returns first and all that wait beside it.
func (db *DB) gather(first *job) []*job {
	jobs := []*job{first}
	for len(jobs) < maxTogether {
		select {
		case j := <-db.waiting:
			jobs = append(jobs, j)
		default:
			return jobs
		}
	}
	return jobs
}

// commit runs jobs in one transaction. One that breaks it is left out and the
// others run again.
func (db *DB) commit(jobs []*job) {
	for len(jobs) > 0 {
		broken, err := db.together(jobs)
		if broken < 0 {
			for _, j := range jobs {
				if err != nil && j.err == nil {
					j.err = fmt.Errorf("database %s: %w", db.path, err)
				}
			}
			return
		}
		if jobs[broken].err == nil {
			jobs[broken].err = fmt.Errorf("database %s: %w", db.path, err)
		}
		rest := append([]*job(nil), jobs[:broken]...)
		jobs = append(rest, jobs[broken+1:]...)
	}
}

// together runs jobs in one transaction. It returns the index of the job that
// broke the transaction, or -1, and what failed other than a job.
func (db *DB) together(jobs []*job) (broken int, err error) {
	tx, err := db.writer.Begin() // not under a job's context: when that one ends, the others go on
	if err != nil {
		return -1, err
	}
	defer func() { _ = tx.Rollback() }() // after a commit it does nothing
	var version int
	if err := tx.QueryRow("PRAGMA user_version").Scan(&version); err != nil {
		return -1, err
	}
	if version != db.version {
		return -1, fmt.Errorf("version %d: %w", version, ErrNewer)
	}
	if len(jobs) == 1 {
		// A savepoint would make the engine keep every page that is changed.
		if !jobs[0].call(tx) {
			return -1, nil
		}
	} else {
		for i, j := range jobs {
			if err := j.run(tx); err != nil {
				return i, err
			}
		}
	}
	if err := tx.Commit(); err != nil {
		return -1, fmt.Errorf("%w: %w", ErrUnclear, err)
	}
	return -1, nil
}

// run runs one job between savepoints. It returns an error when the whole
// transaction is lost.
func (j *job) run(tx *sql.Tx) error {
	if _, err := tx.Exec("SAVEPOINT job"); err != nil {
		return err
	}
	if !j.call(tx) {
		if _, err := tx.Exec("ROLLBACK TO job"); err != nil {
			return err // the engine has rolled everything back, as on a full disk
		}
	}
	_, err := tx.Exec("RELEASE job")
	return err
}

// call runs f, unless its context has ended, and reports whether what it did
// counts. It keeps a panic for the goroutine that called Write.
func (j *job) call(tx *sql.Tx) (ok bool) {
	defer func() { j.panic = recover() }()
	if j.err = context.Cause(j.ctx); j.err == nil {
		j.err = j.f(tx)
	}
	return j.err == nil
}
