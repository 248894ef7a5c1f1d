//! Every bound of a swarm, in one place.

use std::time::Duration;

/// Members at most: what one leader has sessions for, less those of others.
pub(crate) const NODES_MAX: u32 = 60_000;
/// The longest round trip that can be put between members and leader.
pub(crate) const ROUND_TRIP_MAX: Duration = Duration::from_secs(5);
/// Datagrams on their way at once, of one socket.
pub(crate) const ON_ITS_WAY_MAX: usize = 65_536;
/// How many do without a word: measured as a little faster than twice and half as many (docs/scale.md).
pub(crate) const JOINS_AT_ONCE: u32 = 128;
/// The longest time without work.
pub(crate) const IDLE_MAX: Duration = Duration::from_secs(24 * 3600);
/// Members that fall silent without a word on how many, where there are twice as many.
pub(crate) const KILL: u32 = 10;

/// Members that share one UDP socket.
pub(crate) const MEMBERS_PER_SOCKET: u32 = 1_000;
/// Members that one task drives.
pub(crate) const MEMBERS_PER_CREW: u32 = 1_000;
/// Things that wait for that task; a member that hears more is cut off and begins anew.
pub(crate) const CREW_EVENTS_MAX: usize = 65_536;
/// Of these, taken at once.
pub(crate) const CREW_EVENTS_AT_ONCE: usize = 256;
/// Files that are open beside the sockets: the streams, the runtime, the leader's pipes, /proc, and room.
pub(crate) const FILES_BESIDE: u64 = 64;

/// Tries of one member to get in.
pub(crate) const JOIN_TRIES: u32 = 5;
/// The pause before the next, less a jitter of up to a half.
pub(crate) const JOIN_PAUSE: Duration = Duration::from_secs(1);
/// How long a member that was let in may take until the leader has it in its list.
pub(crate) const REGISTER_WAIT_MAX: Duration = Duration::from_secs(60);
/// What a join leaves behind is over after this long: connections drain, the ledger's last records are written.
pub(crate) const SETTLE: Duration = Duration::from_secs(5);
/// How long the others may take to hear that a member is dead.
pub(crate) const DEATH_WAIT_MAX: Duration = Duration::from_secs(60);
/// How long members may take to come back to a leader that was killed and started again.
pub(crate) const BACK_WAIT_MAX: Duration = Duration::from_secs(120);
/// How long news may take until all have heard.
pub(crate) const SPREAD_WAIT_MAX: Duration = Duration::from_secs(60);
/// How long it may take until another leader leads.
pub(crate) const LEADS_WAIT_MAX: Duration = Duration::from_secs(30);
/// Leaders that a swarm may start, and as many as that news may come.
pub(crate) const LEADERS: [u32; 3] = [1, 3, 5];
pub(crate) const NEWS_MAX: u32 = 1_000;
/// How often a state is looked at.
pub(crate) const LOOK_EVERY: Duration = Duration::from_millis(20);
/// How long members that leave may take, for each of them and at least.
pub(crate) const LEAVE_WAIT_MAX: Duration = Duration::from_secs(10);
/// How long peers may take to hear that their connections end.
pub(crate) const CLOSE_WAIT_MAX: Duration = Duration::from_secs(2);

/// How long the swarm's own leader may take until it is ready.
pub(crate) const LEADER_READY_MAX: Duration = Duration::from_secs(30);
/// How long it may take to end before it is killed.
pub(crate) const LEADER_END_MAX: Duration = Duration::from_secs(15);
/// How long the token lives that the members join with.
pub(crate) const TOKEN_TTL_S: u64 = 24 * 3600;
/// Lines of the leader's own output that are shown after a failure.
pub(crate) const LEADER_LINES_MAX: usize = 15;
