//! Every bound of the protocol core, with its unit. What is not listed here cannot grow by a peer's will.

use crate::types::Millis;

/// How long a leader believes in a member after its last word.
pub const LEASE_MS: Millis = 4_200;
/// How often a member renews its lease. A renewal may be lost: a member that is silent for an eighth longer is asked.
pub const RENEW_EVERY_MS: Millis = 3_000;
/// How long a member keeps what needs the leader while it has no link to one.
pub const LEADER_ABSENT_MS: Millis = 30_000;
/// Members register with a leader that has just begun over this long for each that it waits for: what a registration takes
/// on two cores for both.
pub const REGISTER_EACH_US: u64 = 300;
/// And over this long at most, well within a lease.
pub const REGISTER_WITHIN_MS_MAX: Millis = 3_000;
/// How long after its start a leader at most waits for members that have not come back, while others still do.
pub const RETURN_MS: Millis = 120_000;
/// The longest pause between two that come back, after which no more are waited for: a dial that came to nothing and the
/// one that follows it.
pub const RETURN_PAUSE_MS: Millis = 15_000;
/// How often a leader looks for members that are silent. At every millisecond one of ten thousand may be due.
pub const LOOK_EVERY_MS: Millis = 25;
/// How often a leader looks at the time, to notice when its own process was held up.
pub const TICK_EVERY_MS: Millis = 500;
/// A timer that comes later than this was held up by its own process: nobody is declared dead for that. This is for
/// leaders that get no echo; the others know how far they are with what has arrived.
pub const STALL_MIN_MS: Millis = 250;
/// The same for those that get one: what arrived meanwhile is heard out in any case, but in so long a sleep of the
/// whole machine half of the renewals may be lost.
pub const SLEEP_MIN_MS: Millis = RENEW_EVERY_MS / 2;
/// How long an echo is waited for before somebody counts as silent without it.
pub const ECHO_WAIT_MAX_MS: Millis = 3 * LEASE_MS;

/// Stalls of the leader's own process that are forgiven to one silence, so that a leader that is always late still
/// notices its dead.
pub const STALLS_FORGIVEN_MAX: u32 = 3;

/// Bytes of one encoded message between a member and its leader.
pub const MESSAGE_BYTES_MAX: usize = 16 * 1024 * 1024;
/// Values inside each other in one encoded message.
pub const MESSAGE_DEPTH_MAX: usize = 64;
/// Bytes of the name of a node, an actor type or a global name.
pub const NAME_BYTES_MAX: usize = 256;
/// Bytes of the name of a group of which a node has one actor at most.
pub const GROUP_BYTES_MAX: usize = 256;
/// Bytes of an address to dial.
pub const LISTEN_BYTES_MAX: usize = 256;
/// Bytes of a reason that a member gives and that the leader repeats.
pub const REASON_BYTES_MAX: usize = 1_024;
/// Actor types that one node may have linked in.
pub const NATIVES_MAX: usize = 4_096;
/// Images that one node may say it holds.
pub const IMAGES_HELD_MAX: usize = 16_384;
/// Creations that one node may list when it registers.
pub const HOSTED_MAX: usize = 65_536;

/// Creations of one asker that wait at the leader at once.
pub const CREATIONS_PER_ASKER_MAX: usize = 16_384;
/// Ended creations that the leader can answer again.
pub const FINISHED_MAX: usize = 65_536;
/// Placements without a global name or group that a member tells its leader of when it registers; the latest stay.
pub const PLACEMENTS_REMEMBERED_MAX: usize = 16_384;
/// Actors that a member remembers to have exited before it heard that they were launched.
pub const EARLY_EXITS_MAX: usize = 65_536;
/// Placements that a member refused and answers alike within one term.
pub const REFUSALS_REMEMBERED_MAX: usize = 4_096;
/// Creations and questions of one member that wait for an answer at once.
pub const ASKING_MAX: usize = 65_536;
/// How often a host repeats a check because its capabilities changed meanwhile.
pub const RECHECKS_MAX: u32 = 8;

/// Gone nodes that everyone is told of in one word.
pub const GONE_TOLD_TOGETHER_MAX: usize = 4_096;
/// Gone nodes that are told again to every member that registers; one that has missed more asks.
pub const GONE_WELCOMED_WITH: u64 = 8;
/// Gone nodes that a leader remembers for those who have missed them, and a member, so that it hears of each once.
pub const GONE_REMEMBERED_MAX: usize = 65_536;
/// Gone nodes that a list of members still shows.
pub const DEPARTED_SHOWN_MAX: usize = 256;

/// Tokens that are known at once.
pub const TOKENS_MAX: usize = 10_000;
/// Images that are approved at once.
pub const IMAGES_MAX: usize = 16_384;
/// Rejected images that are remembered.
pub const REJECTED_MAX: usize = 256;
/// Signatures that are kept with an image.
pub const ENDORSEMENTS_MAX: usize = 16;
/// Bytes of all of these, with who made them.
pub const ENDORSEMENTS_BYTES_MAX: usize = 40 * 1024;
/// Images that are revoked, ever: a revocation is final, so none of them is forgotten.
pub const REVOKED_MAX: usize = 16_384;
/// Revoked images that a member is told of in one word.
pub const REVOKED_TOLD_TOGETHER_MAX: usize = 4_096;
/// Members confirm a revocation over this long for each that is told of it: what a confirmation takes on two cores for both.
pub const CONFIRM_EACH_US: u64 = 150;
/// And over this long at most.
pub const CONFIRM_WITHIN_MS_MAX: Millis = 5_000;
/// Nodes that are named as sources of an image.
pub const SOURCES_MAX: usize = 6;
/// Images that one node is taken to be fetching at once.
pub const FETCHING_MAX: usize = 64;
/// Bytes of an image that is small enough to be sent along with a creation,
pub const CARRIED_BYTES_MAX: u64 = 128 * 1024;
/// unless so many fetch it already: then these have it for each other.
pub const CARRIED_TO_MAX: usize = 8;
/// Bytes of a chunk of an image.
pub const CHUNK_BYTES: usize = 256 * 1024;
/// Chunks of an image.
pub const IMAGE_CHUNKS_MAX: usize = 256;
/// Nodes beside the leader that one fetch knows of, those not counted that are not asked any more.
pub const FETCH_PEERS_MAX: usize = 8;
/// Of these, how many are asked at once.
pub const FETCH_AT_ONCE_MAX: usize = 6;
/// Chunks that one node serves at once; who asks for more is told to ask later.
pub const UPLOADS_MAX: usize = 8;
/// A fetch ends to which nothing has come for so long.
pub const FETCH_GIVE_UP_MS: Millis = 30_000;
/// How often one fetch asks its leader for other nodes; half of it again with every chunk that comes.
pub const SEEKS_MAX: u32 = 16;
/// Changes of members' capabilities that operators wait for at once.
pub const CHANGES_WAITING_MAX: usize = 1_024;

/// Bytes of the path of a file on a leader's disk.
pub const PATH_BYTES_MAX: usize = 4_096;
/// Nodes whose actors an operator lets be the Source Authority.
pub const REGISTRANTS_MAX: usize = 64;
/// Actors of one node that wait to hear whether they are the Source Authority.
pub const AUTHORITY_CLAIMS_MAX: usize = 16;
/// Actors of one node that may have been it and are gone, and of which further leaders are told.
pub const AUTHORITIES_EXITED_MAX: usize = 64;
/// How often actors become the Source Authority,
pub const TAKEOVERS_MAX: usize = 16;
/// within so long: each time is a record.
pub const TAKEOVERS_WITHIN_MS: Millis = 60_000;
/// How long the verdict of an actor on an image is waited for, if nothing else is said.
pub const VERDICT_MS: Millis = 120_000;
/// The shortest time that can be said.
pub const VERDICT_MS_MIN: Millis = 1_000;
/// The longest.
pub const VERDICT_MS_MAX: Millis = 600_000;

/// Members or images that a watching member is told of in one word.
pub const WATCHED_TOGETHER_MAX: usize = 256;
/// Bytes of what it is told of in one word, if that is more than one member.
pub const WATCHED_BYTES_MAX: usize = 512 * 1024;
/// Members of which a watching member keeps a copy; of more its actors are not told.
pub const WATCHED_MEMBERS_MAX: usize = 65_536;
/// Keys of one member of which a leader knows when they changed last; of a watching member that was away for longer than
/// these tell, the older ones are not named.
pub const CHANGED_KEYS_MAX: usize = 1_024;
/// Topics that the actors of one node watch at once, each counted for each actor.
pub const WATCHERS_MAX: usize = 4_096;

/// Answers of actors' own checks that are remembered.
pub const MEMO_ENTRIES_MAX: usize = 65_536;
/// Bytes of the keys and values that these answers depend on; many times the largest capability map.
pub const MEMO_BYTES_MAX: usize = 32 * 1024 * 1024;
/// How long the failure of an actor's own check is taken as its answer.
pub const CHECK_FAILURE_REMEMBERED_MS: Millis = 30_000;
/// Different requirements whose fitting nodes are remembered.
pub const SELECTIONS_MAX: usize = 1_024;
/// Different creations whose pools of members are remembered.
pub const SHORTLISTS_MAX: usize = 1_024;
/// Pools in all of these together; the list in use may have more.
pub const SHORTLISTED_MAX: usize = 1 << 20;
/// Pools of members that came or went and that are remembered: who looked before the first of them looks at all pools.
pub const POOL_CHANGES_MAX: usize = 1_024;

/// Log batches that are on their way to the leader without an acknowledgement.
pub const LOG_BATCHES_IN_FLIGHT_MAX: usize = 4;
/// Log lines in one batch.
pub const LOG_BATCH_LINES_MAX: u64 = 512;
/// Starts of nodes whose log lines the leader counts.
pub const LOG_SOURCES_MAX: usize = 65_536;
