//! Every limit of the links, in one place.

use std::time::Duration;

/// Lanes of a session: 0 is control, the last carries the parts of long frames, the others what actors send.
pub const LANES: usize = 9;
pub(crate) const PARTS_LANE: usize = LANES - 1;
/// Bytes of one frame that actors send at most.
pub const FRAME_BYTES_MAX: usize = 64 * 1024 * 1024;
/// A frame with more bytes goes in parts, beside the others.
pub const WHOLE_BYTES_MAX: usize = 256 * 1024;
/// Bytes of a long frame in one part, which comes to a batch of the writer.
pub(crate) const PART_BYTES: usize = BATCH_BYTES - 16;
/// Parts of long frames under way at once while shorter frames go beside them: what so many bytes a second make in a
/// round trip, and no fewer than the first. All that is under way takes its turn on the cores of both sides before what is
/// said next.
pub(crate) const PARTS_BESIDE_MIN: usize = 4;
pub(crate) const PARTS_BESIDE_BYTES_A_SECOND: u128 = 64_000_000;
/// How long shorter frames count as going beside, from the last one on.
pub(crate) const BESIDE_TIME: Duration = Duration::from_secs(1);
/// Bytes of one frame of the control lane at most.
pub const CONTROL_FRAME_BYTES_MAX: usize = 4 * 1024 * 1024;
/// Bytes of a node's name at most.
pub const NAME_BYTES_MAX: usize = 128;
/// Bytes of a Hello or a Resume at most.
pub const GREETING_BYTES_MAX: usize = 1024;

/// Bytes of actor frames that a session may hold before its senders are put aside; those of long frames are counted, and
/// their senders put aside, apart.
pub const HIGH_MARK_BYTES: usize = 8 * 1024 * 1024;
/// Bytes below which they go on.
pub const LOW_MARK_BYTES: usize = 4 * 1024 * 1024;
/// Bytes that a session may hold at all, per kind (control, actor): what is beyond is refused.
pub const HELD_BYTES_MAX: usize = 96 * 1024 * 1024;
/// The same for long frames, and for what has come of a peer's long frames so far.
pub const LONG_BYTES_MAX: usize = 256 * 1024 * 1024;
/// What a held frame costs beside its own bytes.
pub const FRAME_OVERHEAD_BYTES: usize = 32;
/// Sessions at most.
pub const SESSIONS_MAX: usize = 65_536;

/// Bytes that the writer takes from a lane at once.
pub(crate) const BATCH_BYTES: usize = 64 * 1024;
/// Chunks that a reader takes from a stream at once.
pub(crate) const READ_CHUNKS: usize = 64;
/// Received bytes after which an acknowledgement is due at once.
pub(crate) const ACK_BYTES: usize = 256 * 1024;
/// How many times the bytes of a part of a long frame count for that: the next parts may wait for it.
pub(crate) const PART_ACK_WEIGHT: usize = 2;
/// Time between two of them, however little was received; the first after a pause does not wait.
pub(crate) const ACK_DELAY: Duration = Duration::from_millis(20);

/// Handshakes under way at most, and of one address.
pub const HANDSHAKES_MAX: usize = 1024;
/// Handshakes under way from one address at most.
pub const HANDSHAKES_PER_SOURCE_MAX: usize = 512;
/// Connections at most that are neither of a session nor under way: those that have just ended, and those that came to
/// nothing and that QUIC keeps until [`IDLE_TIMEOUT`].
pub(crate) const STRAY_CONNECTIONS_MAX: usize = 8_192;
/// Those who wait for room in the doorway: in all, and from one address. What they send meanwhile is bounded by
/// `INCOMING_TOTAL_BYTES_MAX` of the endpoint.
pub(crate) const LINE_MAX: usize = 16_384;
pub(crate) const LINE_PER_SOURCE_MAX: usize = 12_288;
/// How long a handshake, with the greetings that follow it, may take for the node that is dialled.
pub(crate) const ACCEPT_TIMEOUT: Duration = Duration::from_secs(5);
/// How long it may take for the dialler, the wait before the doorway included, less a jitter of up to a quarter.
pub(crate) const DIAL_TIMEOUT: Duration = Duration::from_secs(10);
/// The same for who joins: thousands do so at once where a fleet is new, and those who give up are work for nobody.
pub(crate) const JOIN_TIMEOUT: Duration = Duration::from_secs(20);
/// The same for a dialler that a peer has told of its restart; and how long anybody waits before the doorway. Thousands that
/// dial at once, and again whenever they have waited for too little, are twice the work.
pub(crate) const LINE_TIMEOUT: Duration = Duration::from_secs(30);
/// Addresses that one node is dialled at, at most.
pub(crate) const ADDRESSES_MAX: usize = 8;
/// How long a node is dialled at one address alone, before the next one is tried beside it.
pub(crate) const NEXT_ADDRESS_AFTER: Duration = Duration::from_millis(300);
/// How long [`super::Links::open`] waits for a connection.
pub(crate) const OPEN_TIMEOUT: Duration = Duration::from_secs(5);
/// The first and the longest pause between two tries to dial, less a jitter of up to a half.
pub(crate) const BACKOFF_MIN: Duration = Duration::from_millis(100);
pub(crate) const BACKOFF_MAX: Duration = Duration::from_secs(3);
/// Tries of a member-to-member dial while there is nothing to deliver.
pub(crate) const IDLE_DIAL_TRIES: u32 = 6;

/// Connections are looked at once a second. After so many looks without a sign a dialler gives one: a member's renewals,
/// which are more frequent, are signs too.
pub(crate) const SIGN_EVERY_LOOKS: u32 = 4;
/// A socket with fewer connections than a crowded one that has moved so many bytes at each of so many looks is busy: then
/// what a sign carried is said again at every look, at most so many times, as its own packets may crowd out one of them.
pub(crate) const BUSY_BYTES_A_LOOK: u64 = 32 * 1024;
pub(crate) const BUSY_FROM_LOOKS: u32 = 2;
pub(crate) const SIGN_REPEATS_MAX: u32 = 2;
/// One in so many signs wants an answer, as long as there are answers, and the next one after so many looks.
pub(crate) const SIGNS_AN_ANSWER: u64 = 3;
pub(crate) const ANSWER_EVERY_LOOKS: u32 = 7;
/// A connection that was silent for more looks than this is gone. An answer is due every nine at the latest; one that is
/// lost is noticed by then, and QUIC heard in its place.
pub(crate) const SILENT_LOOKS_MAX: u32 = 12;
/// How long signs that carry something wait for others, to be given to the driver together.
pub(crate) const SIGNS_TOGETHER: Duration = Duration::from_millis(50);
/// Connections from which on a socket is one of a leader of many: what it does is weighed for thousands.
pub(crate) const CROWDED_FROM: usize = 500;
/// How long a crowded socket receives nothing after only signs came: what QUIC gets next may be late by as much.
pub(crate) const SIGNS_PAUSE: Duration = Duration::from_millis(5);
/// Datagrams that one connection of a crowded socket hands to the kernel at once. QUIC keeps a buffer for as many with
/// each connection, ten if it may: that was 5 kB of a member's 49.
pub(crate) const CROWDED_SEGMENTS: usize = 1;
/// Signs that wait for the driver; what comes then is lost, as any of them may be.
pub(crate) const SIGNS_WAITING_MAX: usize = SESSIONS_MAX;
/// What is left for QUIC to watch between nodes: connections that come to nothing. Each node dials with a keep-alive
/// that is frequent enough, and rare enough for a leader of thousands.
pub(crate) const KEEP_ALIVE: Duration = Duration::from_secs(75);
pub(crate) const IDLE_TIMEOUT: Duration = Duration::from_secs(180);
/// The bearer of a token is there for a moment only, and watched by QUIC. It may wait in line for as long as it dials.
pub(crate) const TOKEN_KEEP_ALIVE: Duration = Duration::from_secs(1);
pub(crate) const TOKEN_IDLE_TIMEOUT: Duration = Duration::from_secs(12);
/// Streams in one direction that a peer may have open: the greeting and acknowledgements, and the lanes.
pub(crate) const UNI_STREAMS_MAX: u32 = 1 + LANES as u32;
/// Streams in both directions that a peer may have open: a leader that follows passes on as many commands as it serves
/// itself, from its socket and from operators, and what leaders say to each other must not wait for them.
pub(crate) const BI_STREAMS_MAX: u32 = 192;
/// As many as a peer may have open before it makes use of them: QUIC sets aside what it needs for each that may be.
pub(crate) const BI_STREAMS_AT_FIRST: u32 = 16;
/// A peer that has opened this many, which is fewer, makes use of them.
pub(crate) const BI_STREAMS_OF_A_QUIET_PEER: u32 = 8;
/// Bytes of signs of life that QUIC carries and that wait to be read, and to be sent; the oldest go first.
pub(crate) const SIGNS_BYTES_MAX: usize = 4 * 1024;
/// Larger datagrams are looked for in steps of at least this. One more than half the way from 1,200 to 1,452 bytes, so that
/// the largest is tried first, and 1,325 for tunnels where that is lost: QUIC's own steps of 20 take four datagrams each
/// way of every connection.
pub(crate) const MTU_STEP_BYTES: u16 = 127;
/// Bytes under way in one stream, so that no stream takes the whole connection.
pub(crate) const STREAM_WINDOW_BYTES: u32 = 1024 * 1024;
/// Bytes under way in one connection.
pub(crate) const CONNECTION_WINDOW_BYTES: u32 = 24 * 1024 * 1024;
/// Bytes of the socket's buffers, as far as the kernel gives them.
pub(crate) const SOCKET_SEND_BYTES: usize = 8 * 1024 * 1024;
pub(crate) const SOCKET_RECEIVE_BYTES: usize = 8 * 1024 * 1024;
/// A leader hears from everybody at once after its restart.
pub(crate) const SOCKET_RECEIVE_BYTES_LEADER: usize = 64 * 1024 * 1024;

/// Bytes of one packet that is relayed: what two nodes that only dial say to each other.
pub const RELAYED_PACKET_BYTES_MAX: usize = 1500;
/// Packets that wait for one node, at its relay or before one; what comes then is dropped, and QUIC sends it again.
pub const RELAYED_WAITING_MAX: usize = 1024;
/// Bytes that wait at one relay at most.
pub const RELAY_BYTES_MAX: usize = 64 * 1024 * 1024;
/// Nodes that one relay serves.
pub const RELAY_NODES_MAX: usize = 4096;
/// Pairs of nodes between which one relay carries packets at the same time.
pub const RELAY_PAIRS_MAX: usize = 8192;
/// A pair of which nothing was carried for this long counts no more; its connection is gone long before.
pub(crate) const RELAY_PAIR_IDLE: Duration = Duration::from_secs(30);
/// Peers of a node that only dials of which it is known which relay leads to them.
pub(crate) const RELAYED_PEERS_MAX: usize = 4096;

/// Bytes of one packet that a TCP connection carries.
pub const TCP_PACKET_BYTES_MAX: usize = 16_000;
/// Packets that wait to be written to one TCP connection; what comes then is dropped, and QUIC sends it again. As many
/// wait for QUIC, of all connections together; TCP waits for those that follow.
pub const TCP_WAITING_MAX: usize = 128;
/// TCP connections that carry QUIC at most.
pub const TCP_PIPES_MAX: usize = 16_384;
/// A TCP connection on which nothing has come for this long is over: there would have been signs of life.
pub(crate) const TCP_SILENT_MAX: Duration = Duration::from_secs(15);
/// How long an address that was never reached is dialled over UDP alone, before it is dialled over TCP as well.
pub(crate) const TCP_AFTER: Duration = Duration::from_secs(3);
/// Tries over UDP alone without an answer, after which an address that was reached so before counts as any other.
pub(crate) const UDP_SILENT_TRIES: u32 = 3;
/// Connections that run in the socket's thread beside those of leaders.
pub(crate) const URGENT_CONNECTIONS_MAX: usize = 64;
/// Addresses at which leaders are met: those of five at most, at which each of their starts listens.
pub(crate) const LEADERS_MET_MAX: usize = 64;
/// Addresses of which it is known which way led to them.
pub(crate) const HABITS_MAX: usize = 4096;

/// A refusal of the same kind from the same address is logged once in this time.
pub(crate) const REFUSAL_LOG_PAUSE: Duration = Duration::from_secs(60);
/// Addresses whose refusals are told apart at most.
pub(crate) const REFUSAL_SOURCES_MAX: usize = 4096;
