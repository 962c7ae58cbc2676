package pack

import (
	"errors"
	"fmt"
	"runtime/debug"
	"unsafe"
)

var errShrunk = errors.New("the file got shorter while it was read")

// guard runs f. When f touches a part of a mapped file that is gone, since
// somebody cut the file off meanwhile, that is an error instead of the end of
// the program.
func (p *Pack) guard(f func() error) (err error) {
	before := debug.SetPanicOnFault(true)
	defer debug.SetPanicOnFault(before)
	defer func() {
		switch r := recover().(type) {
		case nil:
		case interface{ Addr() uintptr }:
			if !p.owns(r.Addr()) {
				panic(r)
			}
			err = fmt.Errorf("%w: %w", ErrCorrupt, errShrunk)
		default:
			panic(r)
		}
	}()
	return f()
}

// owns says whether an address is in one of the mapped files.
func (p *Pack) owns(addr uintptr) bool {
	for _, b := range p.files {
		start := uintptr(unsafe.Pointer(unsafe.SliceData(b)))
		if addr >= start && addr-start < uintptr(len(b)) {
			return true
		}
	}
	return false
}
