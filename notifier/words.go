package notifier

import (
	"fmt"

	"patwatch/leak"
)

// single returns the subject and the first lines of a mail about one token:
// what happened, what is done about it, what to do.
func single(it Item) (subject string, lead []line) {
	name, where := named(it), foundIn(it)
	switch {
	case it.Kind == Escalation:
		return fmt.Sprintf("%s: leaked token %s needs an administrator", or(clean(it.Token.Organization, 40), "Your organization"), name),
			[]line{
				{Text: fmt.Sprintf("The personal access token %s of %s was found in %s.", name, or(owner(it), "an owner without a name"), where)},
				{Text: sentence(it.Reason) + status(it)},
				act(it, "Please reach the owner, or revoke the token yourself"),
			}
	case it.Kind == Revoked:
		return fmt.Sprintf("We revoked your token %s: it was public", name),
			[]line{
				{Text: fmt.Sprintf("Your personal access token %s was found in %s.", name, where)},
				{Text: status(it)},
				{Text: "If something of yours used it, give it a new token. Check what the old one was used for."},
			}
	case it.Kind == Reminder:
		return fmt.Sprintf("Reminder: your token %s is public and still works", name),
			[]line{
				{Text: fmt.Sprintf("Your personal access token %s is in %s, and it was not revoked.", name, where)},
				{Text: status(it)},
				act(it, "Revoke it now"),
			}
	case !threat(it):
		return fmt.Sprintf("Your token %s was found in public; it no longer works", name),
			[]line{
				{Text: fmt.Sprintf("Your personal access token %s was found in %s.", name, where)},
				{Text: status(it)},
				{Text: "Check what it was used for while it worked."},
			}
	}
	return leakedNow(it, name, where)
}

// leakedNow is [single] for a token that may still work.
func leakedNow(it Item, name, where string) (subject string, lead []line) {
	again := ""
	if it.Earlier > 0 {
		again = " again, in another place"
	}
	return fmt.Sprintf("Act now: your token %s is public%s", name, again),
		[]line{
			{Text: fmt.Sprintf("Your personal access token %s was found%s in %s. Anyone can use it.", name, again, where)},
			{Text: status(it)},
			act(it, "Revoke it now"),
		}
}

// several returns the subject and the first lines of a mail about several
// tokens, of which live may still work.
func several(items []Item, live int) (subject string, lead []line) {
	n := len(items)
	if items[0].Kind == Escalation {
		return fmt.Sprintf("%s: %d leaked tokens need an administrator", or(clean(items[0].Token.Organization, 40), "Your organization"), n),
			[]line{
				{Text: fmt.Sprintf("%d personal access tokens were found in public; %d of them may still work.", n, live)},
				{Text: sentence(items[0].Reason) + "Each is listed below with what was done about it."},
				{Text: "Please reach the owners, or revoke the tokens yourself."},
			}
	}
	if live == 0 {
		return fmt.Sprintf("%d of your tokens were public; none of them works any more", n),
			[]line{
				{Text: fmt.Sprintf("%d of your personal access tokens were found in public.", n)},
				{Text: "They were revoked or have expired. Each is listed below with what was done about it."},
				{Text: "If something of yours used one, give it a new token. Check what the old ones were used for."},
			}
	}
	return fmt.Sprintf("Act now: %d of your tokens are public", n),
		[]line{
			{Text: fmt.Sprintf("%d of your personal access tokens were found in public; %d may still work, and anyone can use those.", n, live)},
			{Text: "Each is listed below with what we did and will do."},
			{Text: "Revoke those that still work now. Deleting the commits does not help."},
		}
}

// act is what to do now, in the place where it can be done.
func act(it Item, doing string) line {
	const help = "Deleting the commit does not help."
	if u := link(it.ManageURL); u != "" {
		return line{doing, u, help}
	}
	return line{Text: doing + ", where you manage your personal access tokens. " + help}
}

func foundIn(it Item) string {
	if len(it.Sightings) == 0 || it.Sightings[0].Place.Repository == "" {
		return "a public repository"
	}
	repo := "the public repository " + clean(it.Sightings[0].Place.Repository, maxName)
	if n := len(it.Sightings); n > 1 {
		repo += fmt.Sprintf(" and %s more", plural(n-1, "place", "places"))
	}
	return repo
}

func plural(n int, one, many string) string {
	if n == 1 {
		return "1 " + one
	}
	return fmt.Sprintf("%d %s", n, many)
}

// sentence makes a reason a sentence with a space after it.
func sentence(reason string) string {
	if reason = clean(reason, 300); reason == "" {
		return ""
	}
	return reason + ". "
}

// status says what was and will be done about a token.
func status(it Item) string {
	switch {
	case !it.RevokedAt.IsZero():
		return "We revoked it on " + moment(it.RevokedAt) + ". It may take up to an hour until it stops working everywhere, and connections that are open stay open."
	case it.Token.State == leak.TokenRevoked:
		return "It had been revoked before; we do nothing more."
	case it.Token.State == leak.TokenExpired:
		return "It had expired; we do nothing more."
	case it.Held:
		return "A reviewer has put our revocation on hold, so it still works."
	case it.RevokeNow:
		return "We are revoking it. Do not wait for that."
	case !it.RevokeAt.IsZero():
		return "We will revoke it on " + moment(it.RevokeAt) + ", unless you do so first."
	}
	if it.Kind == Escalation {
		return "It still works: the policy of your organization leaves revoking it to its owner."
	}
	return "It still works: the policy of your organization leaves revoking it to you."
}

// todo is the list of what to do now.
func todo(first Item, admins bool, live, n int) []line {
	it, its, they := "the token", "it", "it"
	if n > 1 {
		it, its, they = "each token", "them", "they"
	}
	var out []line
	if live > 0 {
		const help = "Whoever read the repository has a copy: deleting the commit, rewriting history or making the repository private does not help."
		if u := link(first.ManageURL); u != "" && n == 1 {
			out = append(out, line{"Revoke " + it, u, help})
		} else {
			out = append(out, line{Text: "Revoke " + it + ", where you manage your personal access tokens. " + help})
		}
	}
	if admins {
		return append(out,
			line{Text: "Reach the owner another way, and ask what " + it + " was used for."},
			line{Text: "Check what was done with " + its + " since the push: changes to code, pipelines, packages, other tokens."})
	}
	return append(out,
		line{Text: "Where you still need one, make a new token with as few scopes and as short a life as will do, and keep it in a secret store, not in a file that is committed."},
		line{Text: "Check what was done with " + its + " since the push. If you see something you did not do, tell the address below at once."},
		line{Text: "If it was not you who pushed " + its + ", say so: then " + they + " may have been stolen."},
	)
}

// unknown is what nobody should read into the mail.
func unknown() []string {
	return []string{
		"Whether somebody used a token: the use of tokens is not in the log that we keep.",
		"Who read or copied the places named here before we saw them.",
		"Whether the same token is in other places that are not public, or not yet.",
	}
}
