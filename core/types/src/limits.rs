//! Every limit on a queue, loop, retry, message or list, by name.

use crate::time::Span;

/// Rounds of a ring in which requests of one member may still be granted.
pub const ROUNDS_KEPT: usize = 4;
/// Grants that a round of a ring tells one member of: those of each of them, of two lengths while timings change.
pub const ROUND_GRANTS_MAX: usize = 2 * ROUNDS_KEPT;
/// Nodes in a cluster.
pub const NODES_MAX: usize = 64;
/// Networks in a cluster.
pub const NETWORKS_MAX: usize = 8;
/// Resource groups in a cluster.
pub const GROUPS_MAX: usize = 256;
/// Resources in a group.
pub const RESOURCES_MAX: usize = 64;
/// Bytes of a name.
pub const NAME_BYTES_MAX: usize = 64;
/// Bytes of a cluster file.
pub const CLUSTER_FILE_BYTES_MAX: usize = 1 << 20;
/// Bytes of one ordered message before fragmentation.
pub const MESSAGE_BYTES_MAX: usize = 1 << 20;
/// Bytes of one frame's body, so that a sealed frame fits an Ethernet MTU over IPv6.
pub const FRAME_BODY_BYTES_MAX: usize = 1_200;
/// Bytes of ordered messages in flight that not every member is known to have.
pub const WINDOW_BYTES_MAX: usize = MESSAGE_BYTES_MAX;
/// Bytes of one message between two nodes; what ends a view carries all that was in flight in it.
pub const LINK_MESSAGE_BYTES_MAX: usize = 8 * MESSAGE_BYTES_MAX;
/// Ordered messages in flight that not every member is known to have.
pub const WINDOW_MESSAGES_MAX: usize = 256;
/// Messages without an order that one node may have under way and that not every member is known to have.
pub const FIFO_MESSAGES_MAX: usize = 256;
/// Messages that one node may have waiting for their place in the order.
pub const PENDING_MESSAGES_MAX: usize = 256;
/// How far one clock may run from another, parts per million. Crystals stay within 100; NTP slews by 500.
pub const DRIFT_PPM_MAX: u64 = 1_000;
/// Detection is not stretched beyond this, unless the cluster file asks for more: what a crash may cost at worst.
pub const DETECT_MAX: Span = Span::from_secs(10);
/// Longest time that a tie-breaker may be given to answer.
pub const CLAIM_LIMIT_MAX: Span = Span::from_secs(30);
/// How long it is given if the cluster file does not say.
pub const CLAIM_LIMIT_DEFAULT: Span = Span::from_millis(250);
/// A tie-breaker that did not answer is asked again after this.
pub const CLAIM_RETRY_PAUSE: Span = Span::from_secs(1);
/// Tie-breakers that a cluster file may declare.
pub const TIE_BREAKERS_MAX: usize = 8;
/// Longest grace period.
pub const GRACE_MAX: Span = Span::from_secs(30);
/// Without a stall that the next shorter timings would not have forgiven for so long, these are agreed on.
pub const STRETCH_CALM: Span = Span::from_secs(24 * 60 * 60);
/// A stall that is forgiven, but would not be by the next shorter timings, is told again after this.
pub const STALL_TOLD_AGAIN: Span = Span::from_secs(60 * 60);
/// View counters reserved on disk at a time, so that a view change waits for no disk.
pub const VIEW_COUNTERS_RESERVED: u64 = 64;
/// How far ahead of every view there was the first view of a cluster formed by an operator is: what the others may have
/// agreed on meanwhile, if they are not down after all, is older.
pub const FORMED_COUNTER_STEP: u64 = 1 << 20;
/// Silence after which an operator's word that a node is down is believed.
pub const DOWN_SILENCE: Span = Span::from_secs(3);
/// How long forming a cluster may take before the operator is told that its outcome is unknown.
pub const FORM_LIMIT: Span = Span::from_secs(30);
/// Deadline of a resource operation when the cluster file names none.
pub const OPERATION_LIMIT_DEFAULT: Span = Span::from_secs(30);
/// Subnets of one network.
pub const SUBNETS_MAX: usize = 8;
/// Addresses of one node on one network.
pub const ADDRESSES_PER_NETWORK_MAX: usize = 8;
/// Targets of one network (PowerHA: as many lines of netmon.cf for one interface).
pub const TARGETS_MAX: usize = 32;
/// Monitors of one application.
pub const MONITORS_MAX: usize = 16;
/// Arguments of one command, the program among them.
pub const ARGUMENTS_MAX: usize = 256;
/// Bytes of one text in a cluster file: an argument, a path, an option.
pub const TEXT_BYTES_MAX: usize = 4_096;
/// Mount options of one file system.
pub const MOUNT_OPTIONS_MAX: usize = 64;
/// Restarts in place, and failures in a row, that a cluster file may ask for.
pub const COUNT_MAX: u32 = 1_000;
/// The longest span that a cluster file may ask for.
pub const DURATION_MAX: Span = Span::from_secs(24 * 60 * 60);
/// How long past an operation's limit its answer is awaited before it counts as timed out.
pub const OPERATION_GRACE: Span = Span::from_millis(500);
/// Rounds of stop, kill and probe before a group counts as stuck on a node.
pub const TEARDOWN_ROUNDS_MAX: u32 = 2;
/// Probes of a group at daemon start before it counts as stuck on this node.
pub const BOOT_PROBES_MAX: u32 = 3;
/// Probes after a start before one that does not say makes it a failed start.
pub const START_PROBES_MAX: u32 = 3;
/// Between two attempts to free a stuck group.
pub const STUCK_RETRY_INTERVAL: Span = Span::from_secs(10);
/// The same once no lease covers it any more.
pub const UNLEASED_RETRY_INTERVAL: Span = Span::from_millis(100);
/// How long a cleared acquisition waits for a lease before it counts as failed.
pub const PERMIT_WAIT: Span = Span::from_secs(10);
/// How long an adapter must be without a carrier before it counts as down; a blink costs nothing.
pub const ADAPTER_DOWN_AFTER: Span = Span::from_millis(100);
/// How long an adapter that was down must be well before its node is as good a place as others again.
pub const ADAPTER_UP_AFTER: Span = Span::from_secs(2);
/// An adapter that goes down again within this time after it came up is not to be relied on: the wait doubles.
pub const ADAPTER_CALM: Span = Span::from_secs(60);
/// How often that wait doubles.
pub const ADAPTER_DOUBLINGS_MAX: u32 = 5;
/// A node reaches nobody on a network for so many detection times before it says so …
pub const DEAF_DETECTS: u64 = 1;
/// … and for so many before it counts as down there, so that others who hear nobody either have said so before.
pub const SILENT_DETECTS: u64 = 3;
/// While a node reaches nobody on a network its targets are asked once in so many detection times; so twice before it counts
/// as down there.
pub const TARGETS_ASKED_DETECTS: u64 = 1;
/// How long a target's answer is waited for at most; no longer than the detection time.
pub const TARGETS_PATIENCE_MAX: Span = Span::from_secs(1);
/// A target's answer is relied on for so many detection times.
pub const TARGETS_TRUSTED_DETECTS: u64 = 3;
/// Times that a service address is put back in place within [`SWAPS_WITHIN`] before its group fails on this node.
pub const SWAPS_MAX: usize = 5;
/// How long each of them counts.
pub const SWAPS_WITHIN: Span = Span::from_secs(60);
/// How long managers have to vote on a plan.
pub const PLAN_VOTE_LIMIT: Span = Span::from_secs(2);
/// How long each phase of a vote on a configuration may take: every member makes it durable, on a slow disk too.
pub const CONFIG_VOTE_LIMIT: Span = Span::from_secs(5);
/// Pause after a plan found no agreement, or could not be proposed.
pub const PLAN_RETRY_PAUSE: Span = Span::from_millis(100);
/// Requests of operators under way on one node.
pub const REQUESTS_MAX: usize = 64;
/// How long a request is followed before its asker is told that the outcome is unknown.
pub const REQUEST_LIMIT: Span = Span::from_secs(600);
/// How long a node that shuts down waits for others to take its groups before it just stops them.
pub const SHUTDOWN_LIMIT: Span = Span::from_secs(60);

/// The same of a node that can make nothing durable any more. It can join no further view either, so that the others may
/// have gone on without it and will never answer.
pub const NOT_DURABLE_LIMIT: Span = Span::from_secs(2);
/// Characters of an explanation that travels in a message.
pub const WHY_CHARS_MAX: usize = 300;
/// Bytes of the name of a group of Group Services.
pub const GS_NAME_BYTES_MAX: usize = 32;
/// Bytes of a provider's name for logs.
pub const GS_LOCAL_NAME_BYTES_MAX: usize = 16;
/// Bytes of what a deactivate command is told by those who expel.
pub const GS_FLAG_BYTES_MAX: usize = 256;
/// Bytes of a group state value.
pub const GS_STATE_BYTES_MAX: usize = 256;
/// Bytes of a provider message.
pub const GS_MESSAGE_BYTES_MAX: usize = 64 << 10;
/// Bytes of what those who vote against a proposal say to that, as far as their group is told of it.
pub const GS_OBJECTIONS_BYTES_MAX: usize = 8 << 10;
/// Groups of Group Services in a domain.
pub const GS_GROUPS_MAX: usize = 1_024;
/// Providers of one group, over all nodes, and providers that wait to be.
pub const GS_PROVIDERS_MAX: usize = 512;
/// Words that the clients of a node may have waiting to be said; what they ask for beyond is refused.
pub const GS_WORDS_WAITING_MAX: usize = 1_024;
/// Bytes of one frame between a client of Group Services and its node.
pub const GS_FRAME_BYTES_MAX: usize = 96 << 10;
/// Bytes of the path of a deactivate command.
pub const GS_COMMAND_BYTES_MAX: usize = 1_024;
/// Bytes of an interface's name.
pub const INTERFACE_BYTES_MAX: usize = 15;
/// Clients of Group Services on one node.
pub const GS_CLIENTS_MAX: usize = 256;
/// Requests of one client that its node has not taken in yet; who has more is dropped.
pub const GS_REQUESTS_MAX: usize = 512;
/// Bytes of such requests; while a client has more, nothing more of it is read.
pub const GS_REQUESTS_BYTES_MAX: usize = 512 << 10;
/// Bytes that wait to be read by a client from which on nothing more of it is read: it has to listen first.
pub const GS_UNREAD_BYTES_HELD: usize = 1 << 20;
/// Bytes that wait to be read by a client from which on it is dropped if it reads nothing for [`GS_UNREAD_PATIENCE`].
pub const GS_UNREAD_BYTES_MANY: usize = 16 << 20;
/// How long such a client may read nothing.
pub const GS_UNREAD_PATIENCE: Span = Span::from_secs(1);
/// Bytes that wait to be read by a client before it is dropped, however much it reads.
pub const GS_UNREAD_BYTES_MAX: usize = 64 << 20;
/// The same of all clients of a node together: of those that have many, who is told something then is dropped.
pub const GS_UNREAD_BYTES_ALL_MAX: usize = 256 << 20;
/// Requests of clients that a node takes in at a time, before it looks again at what has a deadline.
pub const GS_REQUESTS_PER_TURN: usize = 32;
/// Words that may wait to be said before a node takes in no more requests of clients for the time being.
pub const GS_UNSAID_MAX: usize = 256;
/// The shortest time between two checks whether a client answers.
pub const GS_PING_INTERVAL_MIN: Span = Span::from_millis(100);
/// How long a client has to say hello.
pub const GS_HELLO_LIMIT: Span = Span::from_secs(5);
/// The longest that a deactivate command may run, whatever limit was asked for.
pub const GS_DEACTIVATE_LIMIT_MAX: Span = Span::from_secs(600);
/// How long one may run for a provider that failed, where the group's membership protocols have no time limit.
pub const GS_DEACTIVATE_LIMIT_DEFAULT: Span = Span::from_secs(60);
/// Deactivate commands under way on one node.
pub const GS_DEACTIVATES_MAX: usize = 32;
/// Entries of a flight record.
pub const FLIGHT_ENTRIES_MAX: usize = 5_000_000;
/// Sectors of one node's mailbox on a repository disk: so many letters wait there at most.
pub const REPOSITORY_MAIL_SECTORS: u16 = 16;
/// Copies of a repository that one check compares it with.
pub const REPOSITORY_PEERS_MAX: usize = NODES_MAX;
/// Reads and writes of a repository disk that wait for those before them.
pub const REPOSITORY_JOBS_MAX: usize = 64;
/// How long one of a command of an operator may take before the disk is given up.
pub const REPOSITORY_COMMAND_LIMIT: Span = Span::from_secs(10);
/// Files and directories of the event file system (AIX: 32 K inodes).
pub const AHA_NODES_MAX: usize = 32 << 10;
/// Open files of the event file system.
pub const AHA_OPEN_MAX: usize = 8 << 10;
/// Bytes of one name in the event file system.
pub const AHA_NAME_BYTES_MAX: usize = 255;
/// Bytes of the path of a monitored object.
pub const AHA_PATH_BYTES_MAX: usize = 4_096;
/// Bytes of one registration.
pub const AHA_REGISTRATION_BYTES_MAX: usize = 1_024;
/// Bytes of records that are kept for an open monitor file that names no `BUF_SIZE`.
pub const AHA_BUFFER_BYTES_DEFAULT: usize = 2_048;
/// The largest `BUF_SIZE`.
pub const AHA_BUFFER_BYTES_MAX: usize = 1 << 20;
/// The buffers of all open monitor files together.
pub const AHA_BUFFERS_BYTES_ALL_MAX: usize = 256 << 20;
/// The largest `NOTIFY_CNT`.
pub const AHA_NOTIFY_COUNT_MAX: u16 = 32_767;
/// Bytes of one record of the event file system.
pub const AHA_RECORD_BYTES_MAX: usize = 4_096;
/// Bytes of what a producer has to say in one record, and of a program's name there, once written.
pub const AHA_INFO_BYTES_MAX: usize = 2_048;
