package auditlog_test

import (
	"fmt"
	"os"

	"patwatch/auditlog"
)

// Someone was given the file of a proof, and has the public key of the log.
func ExampleProof_Check() {
	public, err := os.ReadFile("testdata/proof.pub")
	if err != nil {
		fmt.Println(err)
		return
	}
	file, err := os.ReadFile("testdata/proof.txt")
	if err != nil {
		fmt.Println(err)
		return
	}
	verifier, err := auditlog.NewVerifier(string(public))
	if err != nil {
		fmt.Println(err)
		return
	}
	proof, err := auditlog.ParseProof(file)
	if err != nil {
		fmt.Println(err)
		return
	}
	event, checkpoint, err := proof.Check(verifier)
	fmt.Println(err)
	fmt.Printf("event %d of %d in the log %s: %s\n", proof.Index, checkpoint.Size, checkpoint.Origin, event.ActionID)
	// Output:
	// <nil>
	// event 13 of 34 in the log audit.example: Notification.OwnerNotified
}
