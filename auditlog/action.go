package auditlog

import (
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"
)

// Action is something that the log may hold an event of.
type Action struct {
	ID       string `json:"actionId"`
	Area     string `json:"area"`
	Category string `json:"category"` // "modify", "remove", "create", "access" or "execute"
}

// The actions that have Azure DevOps' names.
const (
	PatPublicDiscovery = "Token.PatPublicDiscoveryEvent"
	PatSystemRevoke    = "Token.PatSystemRevokeEvent"
	LogAccessed        = "AuditLog.AccessLog"
	LogDownloaded      = "AuditLog.DownloadLog"
	PolicyUpdated      = "OrganizationPolicy.PolicyValueUpdated"
)

// The actions that have names of our own.
const (
	OwnerNotified          = "Notification.OwnerNotified"
	OwnerReminded          = "Notification.OwnerReminded"
	AdministratorsNotified = "Notification.AdministratorsNotified"
	IncompleteScan         = "Scan.Incomplete"
	CaseChanged            = "Case.StateChanged"
	CaseHeld               = "Case.RevocationHeld"
	CaseReleased           = "Case.RevocationReleased"
	CaseHastened           = "Case.RevocationHastened"
	BrakeSet               = "Response.RevocationsStopped"
	BrakeReleased          = "Response.RevocationsResumed"
	LogRetained            = "AuditLog.RetentionApplied"
)

// An action with its text. In the text, "{Key}" is filled from the data, and
// "{Optional:Key}" may be empty.
type template struct{ id, category, text string }

// templates are sorted by id.
var templates = []template{
	{"AuditLog.AccessLog", "access", `Accessed the audit log`},
	{"AuditLog.DownloadLog", "access", `Downloaded a {Format} copy of the audit log`},
	{"AuditLog.RetentionApplied", "remove", `{Count} events before {Before} were deleted from the audit log by retention.`},
	{"Case.RevocationHastened", "modify", `The revocation of Personal Access Token "{DisplayName}" was brought forward in case {CaseId}.`},
	{"Case.RevocationHeld", "modify", `The revocation of Personal Access Token "{DisplayName}" was put on hold in case {CaseId}.`},
	{"Case.RevocationReleased", "modify", `The hold on the revocation of Personal Access Token "{DisplayName}" was released in case {CaseId}.`},
	{"Case.StateChanged", "modify", `Case {CaseId} of Personal Access Token "{DisplayName}" was changed from {OldState} to {NewState}.`},
	{"Notification.AdministratorsNotified", "execute", `The administrators were notified of the leak of Personal Access Token "{DisplayName}" associated with user "{OwnerName}".{Optional:Repetition}`},
	{"Notification.AdministratorsNotifyDeferred", "execute", `Notifying the administrators of the leak of Personal Access Token "{DisplayName}" was deferred: {Reason}`},
	{"Notification.AdministratorsNotifyFailed", "execute", `Notifying the administrators of the leak of Personal Access Token "{DisplayName}" failed: {Reason}`},
	{"Notification.AdministratorsNotifyHeld", "execute", `Notifying the administrators of the leak of Personal Access Token "{DisplayName}" was held: {Reason}`},
	{"Notification.AdministratorsNotifySkipped", "execute", `Notifying the administrators of the leak of Personal Access Token "{DisplayName}" was skipped: {Reason}`},
	{"Notification.OwnerNotified", "execute", `User "{OwnerName}" was notified of the leak of Personal Access Token "{DisplayName}".{Optional:Repetition}`},
	{"Notification.OwnerNotifyDeferred", "execute", `Notifying user "{OwnerName}" of the leak of Personal Access Token "{DisplayName}" was deferred: {Reason}`},
	{"Notification.OwnerNotifyFailed", "execute", `Notifying user "{OwnerName}" of the leak of Personal Access Token "{DisplayName}" failed: {Reason}`},
	{"Notification.OwnerNotifyHeld", "execute", `Notifying user "{OwnerName}" of the leak of Personal Access Token "{DisplayName}" was held: {Reason}`},
	{"Notification.OwnerNotifySkipped", "execute", `Notifying user "{OwnerName}" of the leak of Personal Access Token "{DisplayName}" was skipped: {Reason}`},
	{"Notification.OwnerRemindDeferred", "execute", `Reminding user "{OwnerName}" of the leak of Personal Access Token "{DisplayName}" was deferred: {Reason}`},
	{"Notification.OwnerRemindFailed", "execute", `Reminding user "{OwnerName}" of the leak of Personal Access Token "{DisplayName}" failed: {Reason}`},
	{"Notification.OwnerRemindHeld", "execute", `Reminding user "{OwnerName}" of the leak of Personal Access Token "{DisplayName}" was held: {Reason}`},
	{"Notification.OwnerRemindSkipped", "execute", `Reminding user "{OwnerName}" of the leak of Personal Access Token "{DisplayName}" was skipped: {Reason}`},
	{"Notification.OwnerReminded", "execute", `User "{OwnerName}" was reminded of the leak of Personal Access Token "{DisplayName}".{Optional:Repetition}`},
	{"OrganizationPolicy.PolicyValueUpdated", "modify", `Policy {PolicyName} was changed to {PolicyValue}`},
	{"Response.RevocationsResumed", "modify", `Revocations by the system were resumed: {Reason}`},
	{"Response.RevocationsStopped", "modify", `All revocations by the system were stopped: {Reason}`},
	{"Response.RevokeDeferred", "execute", `The revocation of Personal Access Token "{DisplayName}" associated with user "{OwnerName}" was deferred: {Reason}`},
	{"Response.RevokeFailed", "execute", `The revocation of Personal Access Token "{DisplayName}" associated with user "{OwnerName}" failed: {Reason}`},
	{"Response.RevokeHeld", "execute", `The revocation of Personal Access Token "{DisplayName}" associated with user "{OwnerName}" was held: {Reason}`},
	{"Response.RevokeSkipped", "execute", `The revocation of Personal Access Token "{DisplayName}" associated with user "{OwnerName}" was skipped: {Reason}`},
	{"Scan.Incomplete", "execute", `The scan of a push to the public repository "{Repository}" was incomplete: {Reason}.`},
	{"Token.PatPublicDiscoveryEvent", "access", `Personal Access Token "{DisplayName}" associated with user "{OwnerName}" was discovered in a public repository.`},
	{"Token.PatSystemRevokeEvent", "remove", `Personal Access Token "{DisplayName}" associated with user "{OwnerName}" was revoked by the system.`},
}

// Actions returns every action that the log may hold, sorted by id.
func Actions() []Action {
	out := make([]Action, len(templates))
	for i, t := range templates {
		out[i] = Action{t.id, t.area(), t.category}
	}
	return out
}

func (t template) area() string {
	area, _, _ := strings.Cut(t.id, ".")
	return area
}

// find returns the template of an action, all zero when there is none.
func find(id string) template {
	i, ok := slices.BinarySearchFunc(templates, id, func(t template, id string) int { return strings.Compare(t.id, id) })
	if !ok {
		return template{}
	}
	return templates[i]
}

// fill replaces the placeholders of the text. A value that is not a string, or
// not there, is empty.
func (t template) fill(data Data) string {
	var out strings.Builder
	text := t.text
	for {
		before, rest, found := strings.Cut(text, "{")
		out.WriteString(before)
		if !found {
			return out.String()
		}
		key, after, _ := strings.Cut(rest, "}")
		out.WriteString(oneLine(data.String(strings.TrimPrefix(key, "Optional:"))))
		text = after
	}
}

// oneLine makes a text from outside safe to stand in a line: control
// characters and those that change the direction of text become U+FFFD. The
// data has them as they were.
func oneLine(s string) string {
	return strings.Map(func(r rune) rune {
		if unicode.IsControl(r) || unicode.Is(unicode.Bidi_Control, r) || r == '\u2028' || r == '\u2029' {
			return utf8.RuneError
		}
		return r
	}, s)
}

// capitalise turns a category into its display name.
func capitalise(s string) string {
	if s == "" {
		return ""
	}
	return strings.ToUpper(s[:1]) + s[1:]
}
