//! Leaders among themselves.

use super::*;
use std::sync::mpsc;
use tokio::runtime::{Builder, Handle, Runtime};

/// One thread.
fn runtime() -> Runtime {
    Builder::new_multi_thread().worker_threads(1).enable_all().build().expect("a runtime")
}

/// Two leaders that are linked; what is urgent runs there.
async fn leaders(urgent: &Handle) -> (Node, Node, Keep) {
    let start = |identity, dir| start_with(identity, Arc::new(dir), |config| config.urgent = Some(urgent.clone()));
    let folder = |dir: &TempDir| DataFolder::open(dir.path()).expect("a folder");
    let dirs = [tempfile::tempdir().expect("a folder"), tempfile::tempdir().expect("a folder")];
    let [first, second] = dirs;
    let founded = Identity::found(folder(&first)).expect("founding");
    let a = start(founded, first);
    let joined = join(folder(&second), &a.token(Role::Leader, Some(1), 60), "b", DialFrom::Anywhere)
        .await
        .expect("a good token");
    let b = start(joined.identity, second);
    let keep = a.links.keep(b.address(), Some(b.node().id));
    a.up_with(&b).await;
    b.up_with(&a).await;
    (a, b, keep)
}

#[test]
fn leaders_talk_while_the_links_of_members_are_held_up() {
    let (members, urgent) = (runtime(), runtime());
    members.block_on(async {
        let (a, b, _keep) = leaders(urgent.handle()).await;
        let (begun, has_begun) = mpsc::channel();
        let (release, released) = mpsc::channel::<()>();
        let held_up = tokio::spawn(async move {
            begun.send(()).expect("the test waits");
            // For as long as this test may take, if nobody releases it.
            let _ = released.recv_timeout(BOUND);
        });
        has_begun.recv().expect("the only thread for members is held up");
        let (links, to) = (a.links.clone(), b.node());
        let question = urgent.spawn(async move {
            let (mut send, mut receive) = links.open(to, crate::purpose::LEDGER).await.expect("a link");
            send.write_all(b"?").await.expect("a stream");
            send.finish().expect("a stream");
            receive.read_to_end(1).await.expect("an answer")
        });
        b.seen.until("the question", |s| s.streams.len() == 1).await;
        let (_, _, mut send, mut receive) = b.seen.seen.lock().streams.remove(0);
        let answer = urgent.spawn(async move {
            let question = receive.read_to_end(1).await.expect("a question");
            send.write_all(b"!").await.expect("a stream");
            send.finish().expect("a stream");
            question
        });
        assert_eq!((answer.await.expect("a question"), question.await.expect("an answer")), (b"?".into(), b"!".into()));
        assert!(!held_up.is_finished(), "it was not held up");
        release.send(()).expect("it waits");
        held_up.await.expect("no panic");
    });
}
