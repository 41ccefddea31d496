//! What can be wrong with a cluster file: ids that never change, a cause and a remedy for each, and where it stands.
//!
//! Never prints and never decides what is wrong; that is the walk's.

use serde::{Serialize, Serializer};
use std::cell::RefCell;
use std::fmt;
use std::ops::Range;

/// One thing that is wrong with, or unwise in, a cluster file.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Fault {
    /// The message; its number never changes its meaning.
    pub id: FaultId,
    /// The file, as the caller named it.
    pub file: String,
    /// The line, from 1.
    pub line: usize,
    /// The column in characters, from 1.
    pub column: usize,
    /// The bytes of the text that it is about.
    pub span: Range<usize>,
    /// What is wrong, naming the thing that it is wrong with.
    pub what: String,
    /// What to do about it.
    pub remedy: String,
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Fault { id, file, line, column, what, remedy, .. } = self;
        write!(f, "{file}:{line}:{column}: [{id}] {what}; {remedy}")
    }
}

macro_rules! messages {
    ($($name:ident = $code:literal, $cause:literal, $remedy:literal;)*) => {
        /// A message of the cluster file: `PHX-F…` refuses the file, `PHX-W…` lets it pass with a warning.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum FaultId {
            $(#[doc = $cause] $name,)*
        }

        impl FaultId {
            /// Every message, by number.
            pub const ALL: &'static [FaultId] = &[$(FaultId::$name),*];

            /// The id that people see and look up, such as `PHX-F012`.
            pub fn code(self) -> &'static str {
                match self { $(FaultId::$name => $code,)* }
            }

            /// What is the case when this message is given.
            pub fn cause(self) -> &'static str {
                match self { $(FaultId::$name => $cause,)* }
            }

            /// What to do about it.
            pub fn remedy(self) -> &'static str {
                match self { $(FaultId::$name => $remedy,)* }
            }
        }
    };
}

messages! {
    Empty = "PHX-F001", "The file has no content.",
        "Begin with `schema = 1`; `examples/demo.toml` is a whole cluster to start from.";
    TooLarge = "PHX-F002", "The file is larger than any cluster needs (1 MiB).",
        "Look whether the right file was given.";
    NotToml = "PHX-F003", "The text is not TOML; nothing beyond its syntax was checked.",
        "Correct the text at the position given. Text stands in quotes, lists in `[ ]`, tables in `{ }` on one line or under a `[header]`.";
    DuplicateKey = "PHX-F004", "A key or a table is given twice.",
        "Keep one of the two.";
    UnknownKey = "PHX-F005", "A key is not known at this place.",
        "Correct its spelling or remove it; the reference lists the keys of each table.";
    LaterKey = "PHX-F006", "A key has its place in the cluster file, but this version does not have the feature yet.",
        "Remove it until a version that has it is installed on every node.";
    MissingKey = "PHX-F007", "A key without a default is missing.",
        "Add it; the message shows an example.";
    WrongType = "PHX-F008", "A value is of the wrong type, such as a number where a list is needed.",
        "Write the value as the message shows. Durations and addresses are text in quotes.";
    UnknownSchema = "PHX-F009", "The file follows a schema that this version cannot read.",
        "Write `schema = 1`, or install the version that wrote the file.";
    BadName = "PHX-F010", "A name is empty, too long or has characters that names may not have.",
        "Use 1 to 64 characters of a-z, 0-9, `-` and `_`, beginning with a letter.";
    UnknownWord = "PHX-F011", "A value is not one of the words that its key takes.",
        "Use one of the words that the message lists.";
    LaterWord = "PHX-F012", "A value is one that its key will take, but this version does not have the feature yet.",
        "Use one of the words that the message lists until a version that has it is installed on every node.";
    TooMany = "PHX-F013", "There are more entries than this version takes.",
        "Remove entries, or divide the cluster.";
    TooFew = "PHX-F014", "A table or list that needs at least one entry has none.",
        "Add an entry, or remove the empty list where it has a default.";
    NumberRange = "PHX-F015", "A number is not a whole number within its range.",
        "Use a number in the range that the message gives.";
    BadDuration = "PHX-F016", "A duration is not a whole number followed by its unit.",
        "Write for example `\"300ms\"`, `\"10s\"`, `\"2m\"` or `\"1h\"`.";
    DurationRange = "PHX-F017", "A duration is zero, negative or longer than a day.",
        "Use a duration from `\"1ms\"` to `\"24h\"`.";
    BadAddress = "PHX-F018", "An address or a subnet is not written as one.",
        "Write an address as `\"10.11.0.1\"` or `\"fd00:11::1\"`, with its prefix as `\"10.11.0.100/24\"`. Host names are not taken here.";
    SpecialAddress = "PHX-F019", "An address can never be a host's own on a network: it is unspecified, loopback, multicast, broadcast, link-local or IPv4 within IPv6.",
        "Use a unicast address of the network.";
    HostBits = "PHX-F020", "A subnet has bits set beyond its prefix.",
        "Write the subnet's first address; the message shows it.";
    PrefixRange = "PHX-F021", "A prefix is too short or too long for a network that joins nodes.",
        "Use /8 to /30 for IPv4, /16 to /126 for IPv6.";
    SubnetOverlap = "PHX-F022", "Two networks, or two subnets of one, have addresses in common.",
        "Give each network a subnet of its own: an address must tell its network.";
    OutsideSubnet = "PHX-F023", "An address is not in a subnet of its network.",
        "Correct the address, its network or the subnet.";
    OtherFamily = "PHX-F024", "An IPv4 address or subnet stands on an IPv6 network, or the other way round.",
        "Declare a network for each family.";
    SubnetEnds = "PHX-F025", "An address is the first or the last of its subnet, which name the subnet itself and its broadcast.",
        "Use an address in between.";
    PrefixMismatch = "PHX-F026", "A service address has another prefix than its subnet.",
        "Use the prefix of the network's subnet that holds the address.";
    AddressTaken = "PHX-F027", "An address is used twice.",
        "Give each node and each service address an address of its own.";
    PrivateNetwork = "PHX-F028", "A service address stands on a network with `service = false`.",
        "Use another network, or remove `service = false` from this one.";
    UnknownNode = "PHX-F029", "A node is named that is not declared.",
        "Declare it under [node], or correct or remove the name.";
    UnknownNetwork = "PHX-F030", "A network is named that is not declared.",
        "Declare it under [network], or correct or remove the name.";
    UnknownResource = "PHX-F031", "`after` names a resource that its group does not have.",
        "Correct or remove the name. Order between groups is not a matter of `after`.";
    Twice = "PHX-F032", "A list has the same entry twice.",
        "Remove one of the two.";
    Cycle = "PHX-F033", "Resources wait for each other in a circle, so none could ever start.",
        "Remove one of the `after` entries that the message names.";
    NodeOffNetwork = "PHX-F034", "A node of a group has no address on the network of the group's service address, so the group could not run there.",
        "Give the node an address on that network, or remove it from the group.";
    NoCommonNetwork = "PHX-F035", "Two nodes have no network in common, so they could not see each other.",
        "Give both an address on one network.";
    TwoNodes = "PHX-F036", "A cluster of two nodes has no majority once one of them is lost, and no tie-breaker decides between them.",
        "Declare a third node, which need not be in any group's `nodes`; or a tie-breaker, named in `[cluster]`.";
    BadPath = "PHX-F037", "A path is not absolute, or is not in its plain form.",
        "Begin it with `/`, and leave out `.`, `..`, doubled and trailing slashes.";
    SystemDirectory = "PHX-F038", "A mount point would hide a directory that the operating system needs.",
        "Use a directory of its own, such as `/srv/shop`.";
    DiskTaken = "PHX-F039", "A device or a mount point belongs to two resources.",
        "Give each file system a device and a mount point of its own.";
    NestedMount = "PHX-F040", "A mount point lies within that of another file system that need not be mounted first.",
        "Use another mount point, or name the outer file system in `after`; both must be in one group.";
    BadCommand = "PHX-F041", "A command is not a list of texts that begins with a program.",
        "Write the program and each argument as a text of its own: `[\"/usr/bin/shop\", \"--fast\"]`. No shell reads it.";
    BadCharacter = "PHX-F042", "A text has a character that would break a command, a path or a log line: NUL, a newline or another control character.",
        "Remove it. What needs several lines belongs into a script.";
    BadProgram = "PHX-F043", "A program is neither an absolute path nor a bare file name.",
        "Write `/usr/local/bin/shop` or, if it stands in the system's directories, `shop`.";
    TextTooLong = "PHX-F044", "A text is longer than any path or argument needs.",
        "Shorten it, or put it into a script or file.";
    BadOption = "PHX-F045", "A mount option is empty or has a comma or a blank.",
        "Write each option as a text of its own: `options = [\"noatime\", \"nodev\"]`.";
    OtherType = "PHX-F046", "A key belongs to another type of resource or monitor.",
        "Remove the key or correct `type`.";
    SecondProcessMonitor = "PHX-F047", "An application has more than one monitor of type `process`.",
        "Keep one: it watches the one process that `start` runs.";
    MonitorOverlap = "PHX-F048", "A monitor may run longer than the time to its next run.",
        "Make `limit` at most `every`.";
    NodeOffSubnet = "PHX-F049", "A node of a group has its addresses on a network in another subnet than the group's service address there, so nobody would reach the address at that node.",
        "Use a service address of the subnet that all nodes of the group are in, or remove the node from the group.";
    TwoSubnets = "PHX-F050", "A node has addresses in two subnets of one network.",
        "Declare a network for each of its adapters, or give both addresses of one subnet: a service address must find another adapter of its network at the same node when one dies.";
    GraceTooLong = "PHX-F051", "A grace period is longer than 30 seconds.",
        "Shorten it, or leave it out: every takeover of what a dead node held waits for it.";
    UnknownTieBreaker = "PHX-F052", "A tie-breaker is named that is not declared.",
        "Declare it under [tie-breaker], or correct the name.";
    ClaimTooLong = "PHX-F053", "A tie-breaker is given more than 30 seconds to answer.",
        "Shorten its `limit`: every takeover of what a dead node held waits for it.";
    OneNode = "PHX-W001", "A cluster of one node can restart an application, but not take it over.",
        "Declare at least three nodes.";
    OneNetwork = "PHX-W002", "All nodes meet on one network only: a failed switch looks like failed nodes.",
        "Declare a second network over other adapters and switches.";
    OnePath = "PHX-W003", "A node is on one network only: a failed adapter looks like a failed node.",
        "Give it an address on a second network.";
    LonelyNetwork = "PHX-W004", "A network joins fewer than two nodes, so nothing can be seen over it.",
        "Give the nodes addresses on it, or remove it.";
    OneHome = "PHX-W005", "A group has one node and so nowhere to go.",
        "Add a second node to `nodes`.";
    NoResources = "PHX-W006", "A group has no resources.",
        "Declare what it protects under [group.NAME.resource].";
    NoMonitor = "PHX-W007", "An application has no monitor: it is moved when its node fails, but nobody notices when it fails itself.",
        "Add a monitor, at least `alive = { type = \"process\" }`.";
    NoFencing = "PHX-W008", "A group moves only on a stronger proof than this version can give: what a lost node has of it stays there until that node is back or was booted anew.",
        "Use `takeover-needs = \"process\"` if the group is to move by itself; or be ready to bring a lost node back.";
    WeakProof = "PHX-W009", "A group with shared data may move on a proof that does not cover a host that is frozen as a whole and thawed again, as a hypervisor may do.",
        "Accept it knowingly, and do not suspend or migrate the hosts of such a group; or use `takeover-needs = \"fenced\"`, with which the group waits until the lost node is back.";
}

impl FaultId {
    /// Whether the file is taken in spite of it.
    pub fn is_warning(self) -> bool {
        self.code().starts_with("PHX-W")
    }
}

impl fmt::Display for FaultId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.code())
    }
}

impl Serialize for FaultId {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.code())
    }
}

/// Proof that a fault was written down; only [`Notebook::refuse`] makes one. Whoever holds it need not say more.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Refused(());

/// Where the walk writes down what it finds, so that it never has to stop at the first fault.
#[derive(Default)]
pub(crate) struct Notebook {
    notes: RefCell<Vec<Note>>,
}

struct Note {
    id: FaultId,
    span: Range<usize>,
    what: String,
    remedy: String,
}

impl Notebook {
    /// Writes down a fault about `span`.
    pub(crate) fn refuse(
        &self,
        id: FaultId,
        span: Range<usize>,
        what: impl Into<String>,
        remedy: impl Into<String>,
    ) -> Refused {
        self.notes.borrow_mut().push(Note { id, span, what: what.into(), remedy: remedy.into() });
        Refused(())
    }

    /// Writes down a warning about `span`, with the remedy of its message.
    pub(crate) fn warn(
        &self,
        id: FaultId,
        span: Range<usize>,
        what: impl Into<String>,
        remedy: impl Into<String>,
    ) {
        self.refuse(id, span, what, remedy);
    }

    /// Everything written down, by position, at one position in the order of writing: the faults, and the warnings.
    pub(crate) fn close(self, file: &str, text: &str) -> (Vec<Fault>, Vec<Fault>) {
        let mut notes = self.notes.into_inner();
        notes.sort_by_key(|note| note.span.start);
        notes.dedup_by(|note, before| note.span.start == before.span.start && note.what == before.what);
        let mut ruler = Ruler { text, offset: 0, line: 1, column: 1 };
        let place = |note| ruler.place(file, note);
        notes.into_iter().map(place).partition(|fault| !fault.id.is_warning())
    }
}

/// Measures lines and columns in one pass over the text.
struct Ruler<'a> {
    text: &'a str,
    offset: usize,
    line: usize,
    column: usize,
}

impl Ruler<'_> {
    /// `note` with its line and column. Notes come by position.
    fn place(&mut self, file: &str, note: Note) -> Fault {
        let Note { id, span, what, remedy } = note;
        let start = self.advance(span.start);
        let end = self.text.floor_char_boundary(span.end.max(start));
        let (file, line, column) = (file.to_owned(), self.line, self.column);
        Fault { id, file, line, column, span: start..end, what, remedy }
    }

    fn advance(&mut self, target: usize) -> usize {
        let target = self.text.floor_char_boundary(target);
        for character in self.text[self.offset..target].chars() {
            (self.line, self.column) =
                if character == '\n' { (self.line + 1, 1) } else { (self.line, self.column + 1) };
        }
        self.offset = target;
        target
    }
}

/// `text` in quotes as people may see it: control characters escaped, shortened if it is long.
pub(crate) fn quoted(text: &str) -> String {
    const SHOWN_MAX: usize = 60;
    match text.char_indices().nth(SHOWN_MAX) {
        None => format!("{text:?}"),
        Some((end, _)) => format!("{:?}…", &text[..end]),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_are_unique_and_in_order() {
        let codes: Vec<_> = FaultId::ALL.iter().map(|id| id.code()).collect();
        assert!(codes.is_sorted(), "{codes:?}");
        assert!(codes.windows(2).all(|pair| pair[0] != pair[1]), "{codes:?}");
    }

    #[test]
    fn faults_come_by_position_and_columns_count_characters() {
        let notebook = Notebook::default();
        notebook.refuse(FaultId::Twice, 10..11, "second", "fix");
        notebook.refuse(FaultId::Twice, 5..6, "first", "fix");
        notebook.warn(FaultId::OneNode, 0..1, "alone", "grow");
        let (faults, warnings) = notebook.close("f.toml", "ab\n\u{e4}\u{f6}\nxyz");
        let shown: Vec<_> = faults.iter().chain(&warnings).map(Fault::to_string).collect();
        assert_eq!(
            shown,
            [
                "f.toml:2:2: [PHX-F032] first; fix",
                "f.toml:3:3: [PHX-F032] second; fix",
                "f.toml:1:1: [PHX-W001] alone; grow"
            ]
        );
    }
}
