//! Actors that have images loaded and unloaded, in real nodes: what they say goes the way of every push.
#![allow(clippy::unwrap_used)]

use odeon_node::admin::Route;
use odeon_node::admin::protocol::{PushImage, Request};
use odeon_tests::cluster::{Cluster, Node, Start, beside, hello, padded_hello};
use serde_json::{Value, json};
use std::path::Path;

fn with_test_actors(arguments: &[&str]) -> Start {
    Start { program: Some(beside("test_node")), ..Start::default() }.and(arguments)
}

fn guest() -> String {
    concat!(env!("CARGO_MANIFEST_DIR"), "/guest/guest.zip").to_owned()
}

fn hash_of(file: &str) -> String {
    odeon_sourceauth::hash(&std::fs::read(file).unwrap()).to_string()
}

/// A leader with this authority and files, and a member that runs an actor of an image which has images loaded.
struct Shelf {
    cluster: Cluster,
    librarian: String,
    loader: String,
}

impl Shelf {
    fn new(arguments: &[&str]) -> Self {
        let mut cluster = Cluster::led_by(with_test_actors(&["--authority", "accept-all"]).and(arguments)).unwrap();
        cluster.member("far", Start::default()).unwrap();
        let leader = cluster.leader();
        leader.run(&["image", "push", &guest()]).ok();
        let (librarian, _) = leader.create(&["Librarian", "--on", "leader"]);
        let (loader, node) = leader.create(&["test-guest", "Loader", "--on", "far"]);
        assert_eq!(node, "far");
        Self { cluster, librarian, loader }
    }

    /// Has it loaded by somebody, and gives what that one says of it.
    fn load(&self, by: &str, path: &str, more: Value) -> String {
        let mut bring = json!({ "path": path, "to": by });
        bring.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        let message = json!({ "Bring": bring }).to_string();
        let said = self.cluster.leader().run(&["ask", &self.librarian, &message, "--timeout", "60s"]).ok();
        said.out.trim_end().to_owned()
    }

    fn unload(&self, hash: &str) -> String {
        let message = json!({ "Unload": { "hash": hash } }).to_string();
        self.cluster.leader().run(&["ask", &self.loader, &message, "--timeout", "60s"]).ok().out.trim_end().to_owned()
    }

    fn states(&self) -> Vec<(String, String)> {
        let text = |value: &Value| value.as_str().unwrap().to_owned();
        let images = self.cluster.leader().json(&["image", "list"]);
        images.as_array().unwrap().iter().map(|image| (text(&image["name"]), text(&image["state"]))).collect()
    }
}

fn approved(file: &str) -> String {
    let hash = hash_of(file);
    format!("approved {hash} hello 1.0.0, was {hash}")
}

#[test]
fn an_actor_in_an_image_on_a_member_loads_another_image_whole_or_in_pieces() {
    let shelf = Shelf::new(&[]);
    let leader = shelf.cluster.leader();
    let (watcher, _) = leader.create(&["test-guest", "Watcher"]);
    leader.run(&["ask", &watcher, "watch"]).ok();
    assert_eq!(shelf.load(&shelf.loader, &hello(), json!({})), approved(&hello()));
    let (address, _) = leader.create(&["hello", "Hello"]);
    assert_eq!(leader.ask(&address, "are you there?"), "Hello, world!");
    let told = leader.json(&["ask", &watcher, "what?"]).to_string();
    assert!(told.contains(&format!("available hello 1.0.0: {}", hash_of(&hello()))), "as of any push: {told}");
    leader.run(&["image", "unload", "hello"]).ok();

    let large = padded_hello(shelf.cluster.dir(), 3_000_000).display().to_string();
    let in_pieces = |without: u64| shelf.load(&shelf.loader, &large, json!({ "in_pieces_without": without }));
    let incomplete = in_pieces(1);
    assert!(incomplete.starts_with("failed 103: "), "{incomplete}");
    assert_eq!(in_pieces(0), approved(&large));
    let said = leader.stderr();
    assert!(said.contains("an actor loads an image") && said.contains(&shelf.loader), "{said}");
}

#[test]
fn an_actor_that_is_linked_into_the_leader_loads_like_any_other() {
    let shelf = Shelf::new(&[]);
    let (loader, _) = shelf.cluster.leader().create(&["Loader", "--on", "leader"]);
    assert_eq!(shelf.load(&loader, &hello(), json!({})), approved(&hello()));
}

#[test]
fn what_the_authority_does_not_approve_no_actor_gets_in() {
    let shelf = Shelf::new(&[]);
    let leader = shelf.cluster.leader();
    let folder = shelf.cluster.dir();
    let key = folder.join("key");
    let ssh_keygen = |arguments: &[&str], file: &Path| {
        let ran = std::process::Command::new("ssh-keygen").args(arguments).arg(file).status();
        assert!(ran.expect("ssh-keygen is there (package openssh-client)").success());
    };
    ssh_keygen(&["-q", "-t", "ed25519", "-N", "", "-f"], &key);
    let public = std::fs::read_to_string(key.with_extension("pub")).unwrap();
    let signers = folder.join("allowed_signers");
    std::fs::write(&signers, format!("ops@example.org namespaces=\"odeon-image\" {public}")).unwrap();
    leader.run(&["authority", "set", "keyring", "--allowed-signers", &signers.display().to_string()]).ok();

    let unsigned = shelf.load(&shelf.loader, &hello(), json!({}));
    assert!(unsigned.starts_with("rejected 123: "), "{unsigned}");
    let garbage = folder.join("garbage").display().to_string();
    std::fs::write(&garbage, b"no zip").unwrap();
    let refused = shelf.load(&shelf.loader, &garbage, json!({}));
    assert!(refused.starts_with("rejected 120: "), "{refused}");

    let signature = folder.join("hello.sig").display().to_string();
    let arguments = ["image", "sign", &hello(), "--key", &key.display().to_string(), "-o", &signature];
    leader.run(&arguments).ok();
    assert_eq!(shelf.load(&shelf.loader, &hello(), json!({ "signatures": [signature] })), approved(&hello()));
    leader.run(&["authority", "set", "none"]).ok();
    let refused = shelf.load(&shelf.loader, &hello(), json!({}));
    assert!(refused.starts_with("rejected 122: "), "{refused}");
}

#[test]
fn only_where_the_leaders_operator_says_so_an_actor_unloads() {
    let shelf = Shelf::new(&[]);
    let hash = hash_of(&guest());
    let refused = shelf.unload(&hash);
    assert!(refused.starts_with("refused 175: "), "{refused}");
    assert_eq!(shelf.states(), [("test-guest".to_owned(), "approved".to_owned())]);

    let shelf = Shelf::new(&["--allow-actor-unload", "yes"]);
    assert_eq!(shelf.load(&shelf.loader, &hello(), json!({})), approved(&hello()));
    for unknown in ["hello", &"0".repeat(64)] {
        let refused = shelf.unload(unknown);
        assert!(refused.starts_with("refused 126: "), "{refused}");
    }
    assert_eq!(shelf.unload(&hash_of(&hello())), format!("unloaded {}", hash_of(&hello())));
    assert_eq!(shelf.states(), [("test-guest".to_owned(), "approved".to_owned())]);
}

#[test]
fn only_nodes_speak_for_actors() {
    let shelf = Shelf::new(&["--allow-actor-unload", "yes"]);
    let ask = |node: &Node, request: &Request| {
        let route = Route::Socket { data: node.data.clone() };
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async { route.ask(request).await.unwrap().next().await.unwrap_err().code })
    };
    let bytes = std::fs::read(hello()).unwrap();
    let push = PushImage { bytes, signature: None, more_signatures: Vec::new(), allow_older: true };
    for request in [
        Request::PlaceForActor,
        Request::PushFromActor { by: "me".into(), push: Box::new(push) },
        Request::UnloadFromActor { by: "me".into(), hash: hash_of(&guest()) },
    ] {
        for node in ["far", "leader"] {
            assert_eq!(ask(shelf.cluster.node(node), &request), 114, "{node}: not its owner");
        }
    }
    assert_eq!(shelf.states(), [("test-guest".to_owned(), "approved".to_owned())]);
}
