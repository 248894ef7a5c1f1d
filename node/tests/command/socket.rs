//! The socket itself: whom it serves, and what it makes of clients that do not behave.

use crate::surroundings::{Answering, Served, odeon_at};
use odeon_node::admin::limits::{COMMANDS_MAX, FRAME_BYTES_MAX, REPLIES_QUEUED_MAX};
use odeon_node::admin::protocol::{Failed, Item, LogGap, LogQuery, Reply, Request};
use odeon_node::admin::{AdminSocket, BindError, Caller, Replies, Route, SOCKET_NAME, read_frame, write_frame};
use std::future::poll_fn;
use std::io::Write;
use std::os::unix::fs::{FileTypeExt, PermissionsExt};
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::Poll;
use std::time::Duration;
use tokio::sync::{Notify, Semaphore};
use tokio::time::timeout;

/// Beyond this a test has failed rather than been slow.
const BOUND: Duration = Duration::from_secs(20);

fn friendly() -> Served {
    Served::new(Answering(|caller, _, replies: Replies| async move {
        assert_eq!(caller, Caller::Owner);
        replies.send(Reply::Nodes(Vec::new())).await.unwrap();
    }))
}

fn answers(served: &Served) -> bool {
    odeon_at(&served.data(), &["nodes", "--json"]).stdout == "[]\n"
}

fn mode(path: &Path) -> u32 {
    std::fs::metadata(path).unwrap().permissions().mode() & 0o777
}

/// What the node says to these bytes.
async fn said_to(served: &Served, bytes: &[u8], then_close: bool) -> Reply {
    let mut stream = tokio::net::UnixStream::connect(served.data().join(SOCKET_NAME)).await.unwrap();
    tokio::io::AsyncWriteExt::write_all(&mut stream, bytes).await.unwrap();
    if then_close {
        tokio::io::AsyncWriteExt::shutdown(&mut stream).await.unwrap();
    }
    timeout(BOUND, read_frame(&mut stream)).await.unwrap().unwrap().unwrap()
}

#[test]
fn the_socket_and_its_folder_are_for_the_owner_only() {
    let mut served = friendly();
    assert_eq!((mode(&served.data()), mode(&served.data().join(SOCKET_NAME))), (0o700, 0o600));
    assert!(answers(&served));
    served.stop();
    assert!(!served.data().join(SOCKET_NAME).exists(), "the file goes with the node");
}

#[test]
fn without_a_node_a_command_exits_6_and_names_the_socket() {
    let folder = tempfile::tempdir().unwrap();
    let ran = odeon_at(folder.path(), &["nodes"]);
    let socket = folder.path().join(SOCKET_NAME);
    assert_eq!((ran.code, ran.stdout.as_str()), (6, ""));
    assert!(ran.stderr.starts_with("error[OD-100]: ") && ran.stderr.contains(socket.to_str().unwrap()), "{ran:?}");
    assert!(ran.stderr.contains("odeon up"), "{ran:?}");
    drop(std::os::unix::net::UnixListener::bind(&socket).unwrap());
    let ran = odeon_at(folder.path(), &["nodes"]);
    assert!(ran.code == 6 && ran.stderr.contains("nobody listens there any more"), "{ran:?}");
}

#[tokio::test]
async fn a_socket_that_nobody_answers_on_is_replaced_and_no_other() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join(SOCKET_NAME);
    drop(std::os::unix::net::UnixListener::bind(&path).unwrap());
    assert!(path.exists(), "a killed node leaves its socket behind");
    let first = AdminSocket::bind(folder.path()).await.unwrap();
    assert!(std::fs::symlink_metadata(&path).unwrap().file_type().is_socket());
    let second = AdminSocket::bind(folder.path()).await.unwrap_err();
    assert!(matches!(second, BindError::InUse(_)) && second.code() == 150, "{second}");
    assert!(path.exists(), "the first keeps its socket");
    drop(first);
    assert!(!path.exists());
    std::fs::write(&path, "a file").unwrap();
    let third = AdminSocket::bind(folder.path()).await.unwrap_err();
    assert!(matches!(third, BindError::NotASocket(_)) && third.code() == 151, "{third}");
    assert_eq!(std::fs::read(&path).unwrap(), b"a file");
}

#[tokio::test]
async fn a_path_that_is_too_long_for_a_socket_says_so() {
    let folder = tempfile::tempdir().unwrap();
    let error = AdminSocket::bind(&folder.path().join("x".repeat(120))).await.unwrap_err();
    let source = std::error::Error::source(&error).unwrap().to_string();
    assert!(source.contains("longer than 107"), "{source}");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_no_request_is_refused_and_the_node_goes_on() {
    let served = friendly();
    let oversize = ((FRAME_BYTES_MAX + 1) as u32).to_be_bytes();
    let mut deep = b"\x81\xa4Tell".to_vec();
    deep.extend([0x91; 5_000]);
    let mut framed_deep = (deep.len() as u32).to_be_bytes().to_vec();
    framed_deep.extend(deep);
    for (bytes, close, expected) in [
        (&oversize[..], false, "is larger than"),
        (b"GET / HTTP/1.1\r\n\r\n", false, "is larger than"),
        (b"\0\0\0\x04\xc1\xc1\xc1\xc1", false, "is not a Request"),
        (&framed_deep, false, "is not a Request"),
        (b"\0\0\0\x09\x01", true, "ends after 1 of 9 bytes"),
        (b"\0\0", true, "ends after 2 of 4 bytes"),
    ] {
        let Reply::Failed(failed) = said_to(&served, bytes, close).await else { panic!("{bytes:?} was served") };
        assert_eq!(failed.code, 103);
        assert!(failed.message.contains(expected), "{}", failed.message);
    }
    drop(UnixStream::connect(served.data().join(SOCKET_NAME)).unwrap());
    assert!(tokio::task::block_in_place(|| answers(&served)));
}

#[test]
fn a_client_that_never_finishes_its_request_holds_up_nobody() {
    let served = friendly();
    let mut slow = UnixStream::connect(served.data().join(SOCKET_NAME)).unwrap();
    slow.write_all(&[0, 0, 1]).unwrap();
    assert!(answers(&served));
    drop(slow);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_client_that_reads_slowly_holds_its_command_back_and_loses_nothing() {
    // Far more than the kernel's buffers and the queue hold.
    const LINES: u64 = 5_000;
    let (held_back, sent) = (Arc::new(Notify::new()), Arc::new(AtomicUsize::new(0)));
    let (tell, counter) = (Arc::clone(&held_back), Arc::clone(&sent));
    let served = Served::new(Answering(move |_, _, replies: Replies| {
        let (tell, counter) = (Arc::clone(&tell), Arc::clone(&counter));
        async move {
            for n in 0..LINES {
                let gap = LogGap { node: "n".into(), from: n, to: 0, reason: "x".repeat(1_000) };
                let mut sending = Box::pin(replies.send(Reply::Item(Item::Gap(gap))));
                match poll_fn(|cx| Poll::Ready(sending.as_mut().poll(cx))).await {
                    Poll::Ready(sent) => sent.unwrap(),
                    Poll::Pending => {
                        tell.notify_one();
                        sending.await.unwrap();
                    }
                }
                counter.fetch_add(1, Ordering::SeqCst);
            }
            replies.send(Reply::Done).await.unwrap();
        }
    }));
    let mut answer = Route::Socket { data: served.data() }.ask(&Request::Images).await.unwrap();
    timeout(BOUND, held_back.notified()).await.unwrap();
    let unread = sent.load(Ordering::SeqCst);
    assert!((REPLIES_QUEUED_MAX..LINES as usize).contains(&unread), "{unread} of {LINES} were sent unread");
    for n in 0..LINES {
        match timeout(BOUND, answer.next()).await.unwrap().unwrap() {
            Some(Reply::Item(Item::Gap(gap))) => assert_eq!(gap.from, n),
            other => panic!("{other:?}"),
        }
    }
    assert_eq!(answer.next().await.unwrap(), Some(Reply::Done));
    assert_eq!(answer.next().await.unwrap(), None);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_backend_that_follows_hears_when_its_client_is_gone() {
    let gone = Arc::new(Notify::new());
    let tell = Arc::clone(&gone);
    let served = Served::new(Answering(move |_, request, replies: Replies| {
        let tell = Arc::clone(&tell);
        async move {
            assert!(matches!(request, Request::Logs(LogQuery { follow: true, .. })));
            let gap = LogGap { node: "n".into(), from: 1, to: 2, reason: "r".into() };
            replies.send(Reply::Item(Item::Gap(gap))).await.unwrap();
            assert!(!replies.is_client_gone());
            replies.client_gone().await;
            assert!(replies.is_client_gone() && replies.send(Reply::Done).await.is_err());
            tell.notify_one();
        }
    }));
    let (node, actor, image) = (None, None, None);
    let query = LogQuery { level: odeon::Level::Warn, node, actor, image, since_ms: None, follow: true };
    let mut answer = Route::Socket { data: served.data() }.ask(&Request::Logs(query)).await.unwrap().waiting(None);
    assert!(matches!(answer.next().await.unwrap(), Some(Reply::Item(_))));
    drop(answer);
    timeout(BOUND, gone.notified()).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_command_is_carried_out_even_when_its_client_goes_away() {
    let (release, finished) = (Arc::new(Semaphore::new(0)), Arc::new(Notify::new()));
    let (gate, tell) = (Arc::clone(&release), Arc::clone(&finished));
    let served = Served::new(Answering(move |_, _, replies: Replies| {
        let (gate, tell) = (Arc::clone(&gate), Arc::clone(&tell));
        async move {
            replies.client_gone().await;
            drop(gate.acquire().await);
            tell.notify_one();
        }
    }));
    let answer = Route::Socket { data: served.data() }.ask(&Request::Images).await.unwrap();
    drop(answer);
    release.add_permits(1);
    timeout(BOUND, finished.notified()).await.unwrap();
}

#[test]
fn a_backend_that_panics_or_says_nothing_fails_only_its_own_command() {
    let served = Served::new(Answering(|_, request, replies: Replies| async move {
        match request {
            Request::Images => panic!("the backend breaks"),
            Request::Authority => {}
            _ => replies.send(Reply::Nodes(Vec::new())).await.unwrap(),
        }
    }));
    for arguments in [["image", "list"], ["authority", "show"]] {
        let ran = odeon_at(&served.data(), &arguments);
        assert!(ran.code == 1 && ran.stderr.starts_with("error[OD-199]: the node gave this command up"), "{ran:?}");
    }
    assert!(answers(&served));
}

#[test]
fn a_reply_beyond_the_limit_is_a_failure_and_not_a_broken_stream() {
    let served = Served::new(Answering(|_, _, replies: Replies| async move {
        replies.send(Reply::Token("x".repeat(FRAME_BYTES_MAX))).await.unwrap();
    }));
    let ran = odeon_at(&served.data(), &["token", "create"]);
    assert!(ran.code == 1 && ran.stderr.contains("is larger than"), "{ran:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn one_command_too_many_is_refused_and_the_next_is_served_again() {
    let release = Arc::new(Semaphore::new(0));
    let gate = Arc::clone(&release);
    let served = Served::new(Answering(move |_, request, replies: Replies| {
        let gate = Arc::clone(&gate);
        async move {
            if request == Request::Images {
                replies.send(Reply::Progress { done: 0, total: 1, what: String::new() }).await.unwrap();
                drop(gate.acquire().await);
            }
            replies.send(Reply::Done).await.unwrap();
        }
    }));
    let route = Route::Socket { data: served.data() };
    let mut running = Vec::new();
    for _ in 0..COMMANDS_MAX {
        let mut answer = route.ask(&Request::Images).await.unwrap();
        assert!(matches!(timeout(BOUND, answer.next()).await.unwrap().unwrap(), Some(Reply::Progress { .. })));
        running.push(answer);
    }
    let refused = timeout(BOUND, route.ask(&Request::Nodes).await.unwrap().next()).await.unwrap().unwrap_err();
    assert!(refused.code == 199 && refused.message.contains("64 commands"), "{}", refused.message);
    release.add_permits(COMMANDS_MAX);
    for mut answer in running {
        assert_eq!(timeout(BOUND, answer.next()).await.unwrap().unwrap(), Some(Reply::Done));
    }
    timeout(BOUND, async {
        while route.ask(&Request::Nodes).await.unwrap().next().await.is_err() {
            tokio::task::yield_now().await;
        }
    })
    .await
    .unwrap();
}

/// Set for a second process of this test, which runs as another user.
const FOREIGN: &str = "ODEON_TEST_FOREIGN_SOCKET";

#[tokio::test(flavor = "multi_thread")]
async fn a_foreign_user_is_refused_even_where_the_files_let_it_in() {
    if let Some(path) = std::env::var_os(FOREIGN) {
        let mut stream = tokio::net::UnixStream::connect(path).await.unwrap();
        let _ = write_frame(&mut stream, &Request::Nodes).await;
        let reply: Reply = timeout(BOUND, read_frame(&mut stream)).await.unwrap().unwrap().unwrap();
        let Reply::Failed(Failed { code, message, .. }) = reply else { panic!("a foreign user was served") };
        assert!(code == 114 && message.contains("user id 65534"), "{message}");
        println!("refused as it should be");
        return;
    }
    if !rustix::process::geteuid().is_root() {
        // Only root can act as another user; the rule itself is tested beside it.
        return;
    }
    let served = friendly();
    let socket = served.data().join(SOCKET_NAME);
    for (path, mode) in [(served.folder.path(), 0o755), (&served.data(), 0o755), (&socket, 0o777)] {
        std::fs::set_permissions(path, std::fs::Permissions::from_mode(mode)).unwrap();
    }
    // The binary of this test may lie where another user cannot go.
    let copy = served.folder.path().join("test");
    std::fs::copy(std::env::current_exe().unwrap(), &copy).unwrap();
    let output = std::os::unix::process::CommandExt::uid(&mut std::process::Command::new(copy), 65_534)
        .args(["--exact", "socket::a_foreign_user_is_refused_even_where_the_files_let_it_in", "--nocapture"])
        .env(FOREIGN, &socket)
        .current_dir("/")
        .output()
        .unwrap();
    let text = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success() && text.contains("refused as it should be"), "{output:?}");
    assert!(tokio::task::block_in_place(|| answers(&served)));
}
