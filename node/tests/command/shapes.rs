//! What commands print: the JSON that scripts read, the text that people read, and how commands exit.

use crate::surroundings::{Answering, Served, odeon, odeon_at};
use odeon::{Address, Incarnation, Level, NodeId, NodeRef, Value};
use odeon_capabilities::CapabilityMap;
use odeon_convention::codes;
use odeon_convention::leader::MemberState;
use odeon_convention::types::{Explanation, NearMiss, Rejection};
use odeon_node::admin::Replies;
use odeon_node::admin::protocol::*;
use serde_json::json;

fn address() -> Address {
    Address::mint(NodeRef { id: NodeId([3; 16]), incarnation: Incarnation(2) }, 7, 99)
}

/// A node that always gives these replies.
fn giving(replies: Vec<Reply>) -> Served {
    Served::new(Answering(move |_, _, to: Replies| {
        let replies = replies.clone();
        async move {
            for reply in replies {
                to.send(reply).await.unwrap();
            }
        }
    }))
}

fn json_of(reply: Reply, arguments: &[&str]) -> serde_json::Value {
    odeon_at(&giving(vec![reply]).data(), &[arguments, &["--json"]].concat()).json()
}

/// The keys of an object in the order in which they were printed.
fn keys(printed: &str) -> Vec<String> {
    let mut keys = Vec::new();
    let mut depth = 0;
    let mut parts = printed.split('"');
    while let Some(part) = parts.next() {
        depth += part.matches(['{', '[']).count() as i32 - part.matches(['}', ']']).count() as i32;
        let Some(text) = parts.next() else { break };
        if depth == 1 && parts.clone().next().is_some_and(|next| next.starts_with(':')) {
            keys.push(text.to_owned());
        }
    }
    keys
}

fn node_item() -> NodeItem {
    let mut capabilities = CapabilityMap::new();
    capabilities.set("Has DB access", true).unwrap();
    capabilities.set("zone", "eu-1").unwrap();
    NodeItem {
        name: "db".into(),
        id: NodeId([3; 16]).to_string(),
        incarnation: 2,
        state: MemberState::Alive,
        role: NodeRole::Member,
        listen: "127.0.0.1:4000".into(),
        capabilities,
        actors: 4,
        since: "2026-01-02T03:04:05Z".into(),
        draining: false,
    }
}

fn image_item(state: &str) -> ImageItem {
    let (name, version, by) = ("hello".into(), "1.0.0".into(), "accept-all".into());
    ImageItem {
        hash: "ab".repeat(32),
        name,
        version,
        size: 12,
        state: state.into(),
        by,
        nodes: 2,
        actors: 1,
        pushed: None,
    }
}

fn explanation() -> Explanation {
    Explanation {
        nodes: 4,
        accepted: 0,
        chosen: None,
        rejected: vec![Rejection { reason: "lacks gpu".into(), nodes: 3, example: "web".into() }],
        nearest: vec![NearMiss { node: "db".into(), lacks: vec!["gpu".into()] }],
    }
}

fn log_line() -> LogLine {
    LogLine {
        time: "2026-01-02T03:04:05.678Z".into(),
        level: Level::Warn,
        node: "db".into(),
        incarnation: 2,
        actor: Some(address()),
        image: None,
        target: "odeon.TestActor".into(),
        message: "disk\u{1b}[31m full".into(),
        fields: [("free".to_owned(), Value::Integer(3))].into(),
        seq: 9,
    }
}

#[test]
fn nodes_print_the_keys_of_the_contract() {
    let printed = json_of(Reply::Nodes(vec![node_item()]), &["nodes"]);
    let expected = json!([{
        "name": "db", "id": NodeId([3; 16]).to_string(), "incarnation": 2, "state": "alive", "role": "member",
        "listen": "127.0.0.1:4000", "capabilities": {"Has DB access": true, "zone": "eu-1"}, "actors": 4,
        "since": "2026-01-02T03:04:05Z", "draining": false,
    }]);
    assert_eq!(printed, expected);
    let text = odeon_at(&giving(vec![Reply::Nodes(vec![node_item()])]).data(), &["nodes"]).stdout;
    assert!(text.starts_with("NAME") && text.contains("Has DB access=true, zone=eu-1"), "{text}");
    let emptying = NodeItem { draining: true, ..node_item() };
    let text = odeon_at(&giving(vec![Reply::Nodes(vec![emptying])]).data(), &["nodes"]).stdout;
    assert!(text.contains("  alive, draining  "), "{text}");
}

#[test]
fn invitations_print_where_since_when_until_when_and_what_may_be_claimed() {
    let item = |claims| InvitationItem {
        address: "guest.example:5340".into(),
        since: "2026-01-02T03:04:05Z".into(),
        until: "2026-01-02T03:05:05Z".into(),
        claims,
    };
    let reply = || Reply::Invitations(vec![item(None), item(Some(vec!["gpu".into(), "zone".into()]))]);
    let expected = json!({
        "address": "guest.example:5340", "since": "2026-01-02T03:04:05Z", "until": "2026-01-02T03:05:05Z",
        "claims": null,
    });
    let printed = json_of(reply(), &["invite", "--list"]);
    assert_eq!((&printed[0], &printed[1]["claims"]), (&expected, &json!(["gpu", "zone"])));
    let text = odeon_at(&giving(vec![reply()]).data(), &["invite", "--list"]).stdout;
    assert!(text.starts_with("ADDRESS") && text.contains("  any") && text.contains("  gpu, zone"), "{text}");
    assert_eq!(json_of(Reply::Done, &["invite", "--cancel", "a:1"]), json!({"done": true}));
}

#[test]
fn a_saved_fleet_is_explained_as_a_node_would_and_says_what_it_does_not_know() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("fleet.json");
    let file = file.to_str().unwrap();
    let node = |n: u8, name: &str, state| NodeItem {
        name: name.into(),
        id: NodeId([n; 16]).to_string(),
        state,
        ..node_item()
    };
    let mut plain = node(4, "plain", MemberState::Alive);
    plain.capabilities = CapabilityMap::new();
    let (left, dead) = (node(5, "left", MemberState::Left), node(6, "dead", MemberState::Dead));
    let written =
        odeon_at(&giving(vec![Reply::Nodes(vec![node_item(), plain, left, dead])]).data(), &["nodes", "--json"]);
    std::fs::write(file, written.stdout).unwrap();
    let asked = ["--data", "/nowhere", "explain", "A", "--fleet", file];
    let ran = odeon(&[&asked[..], &["--require", "Has DB access", "--json"]].concat());
    let reason = "lacks capability \"Has DB access\"";
    let expected = json!({
        "nodes": 2, "accepted": 1, "chosen": "db",
        "rejected": [{"reason": reason, "nodes": 1, "example": "plain"}],
        "nearest": [{"node": "plain", "lacks": [reason]}],
    });
    assert_eq!(ran.json(), expected);
    assert_eq!(keys(&ran.stdout), ["nodes", "accepted", "chosen", "rejected", "nearest"]);
    assert!(ran.stderr.contains("the actor's own check"), "{ran:?}");
    let text = odeon(&[&asked[..], &["--where", "tpu > 1"]].concat());
    assert!(text.code == 0 && text.stdout.starts_with("0 of 2 nodes accept; no node can host it\n"), "{text:?}");
    for (flags, code, said) in [
        (&["--on", "left"][..], 1, "error[OD-134]: no living node in "),
        (&["--where", "tpu >"], 1, "error[OD-132]: "),
        (&["--connect", "127.0.0.1:1", "--token", "x"], 2, "--fleet asks a file"),
    ] {
        let ran = odeon(&[&asked[..], flags].concat());
        assert!(ran.code == code && ran.stderr.contains(said), "{ran:?}");
    }
    for wrong in ["", "{}", "[{\"name\": \"db\"}]", "[1"] {
        std::fs::write(file, wrong).unwrap();
        let ran = odeon(&asked);
        assert!(ran.code == 2 && ran.stderr.contains("not what 'odeon nodes --json' writes"), "{wrong}: {ran:?}");
    }
    let missing = odeon(&["explain", "A", "--fleet", "/nowhere.json"]);
    assert!(missing.code == 2 && missing.stderr.contains("/nowhere.json"), "{missing:?}");
}

#[test]
fn images_print_the_keys_of_the_contract() {
    let expected = json!([{
        "hash": "ab".repeat(32), "name": "hello", "version": "1.0.0", "size": 12, "state": "approved",
        "by": "accept-all", "nodes": 2, "actors": 1,
    }]);
    assert_eq!(json_of(Reply::Images(vec![image_item("approved")]), &["image", "list"]), expected);
}

#[test]
fn an_image_is_shown_with_the_keys_of_the_contract() {
    let detail = ImageDetail {
        hash: "ab".repeat(32),
        name: "hello".into(),
        version: "1.0.0".into(),
        size: 12,
        state: "approved".into(),
        by: "alice: signed".into(),
        approved: Some("2026-05-01T12:00:00Z".into()),
        until: None,
        types: vec![ImageType { name: "Hello".into(), require: vec!["db".into()] }],
        approvals: vec![ImageEndorsement {
            by: "alice".into(),
            fingerprint: "SHA256:x".into(),
            signed: "statement".into(),
            not_before: None,
            not_after: Some("2027-05-01T12:00:00Z".into()),
            text: "armour".into(),
        }],
        nodes: vec!["db".into(), "leader".into()],
        actors: 3,
        pushed: None,
        grants: Some(ImageGrants {
            outbound: vec!["db:5432".into(), "10.0.0.0/8:443".into()],
            folders: vec!["/srv:rw".into()],
            environment: Vec::new(),
        }),
    };
    let expected = json!({
        "hash": "ab".repeat(32), "name": "hello", "version": "1.0.0", "size": 12, "state": "approved",
        "by": "alice: signed", "approved": "2026-05-01T12:00:00Z", "until": null,
        "types": [{"name": "Hello", "require": ["db"]}],
        "approvals": [{
            "by": "alice", "fingerprint": "SHA256:x", "signed": "statement", "not_before": null,
            "not_after": "2027-05-01T12:00:00Z", "text": "armour",
        }],
        "nodes": ["db", "leader"], "actors": 3,
        "grants": {"outbound": ["db:5432", "10.0.0.0/8:443"], "folders": ["/srv:rw"], "environment": []},
    });
    let reply = || Reply::Image(Box::new(detail.clone()));
    assert_eq!(json_of(reply(), &["image", "show", "hello"]), expected);
    let text = odeon_at(&giving(vec![reply()]).data(), &["image", "show", "hello"]).stdout;
    let lines: Vec<&str> = text.lines().collect();
    let first = format!("{} hello@1.0.0 (12 bytes)", "ab".repeat(32));
    assert_eq!(
        lines,
        [
            first.as_str(),
            "approved 2026-05-01T12:00:00Z by alice: signed",
            "  actor Hello requires db",
            "  asks for outbound db:5432, 10.0.0.0/8:443",
            "  asks for folders /srv:rw",
            "  approved by alice SHA256:x (statement, until 2027-05-01T12:00:00Z)",
            "  held by db, leader; 3 actors run from it",
        ]
    );
}

#[test]
fn a_push_prints_five_keys_and_a_rejected_image_exits_5() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("x.zip");
    std::fs::write(&file, "zip").unwrap();
    let push = ["image", "push", file.to_str().unwrap(), "--json"];
    let replies =
        |state| vec![Reply::Progress { done: 1, total: 3, what: "nodes".into() }, Reply::Pushed(image_item(state))];
    let ran = odeon_at(&giving(replies("approved")).data(), &push);
    assert_eq!(ran.code, 0, "{ran:?}");
    assert_eq!(keys(&ran.stdout), ["hash", "name", "version", "size", "state"]);
    let ran = odeon_at(&giving(replies("rejected")).data(), &push);
    assert!(ran.code == 5 && ran.stderr.contains("error[OD-128]"), "{ran:?}");
    let made = Reply::Pushed(ImageItem { pushed: Some("cd".repeat(32)), ..image_item("approved") });
    let ran = odeon_at(&giving(vec![made]).data(), &push);
    assert_eq!(keys(&ran.stdout), ["hash", "name", "version", "size", "state", "pushed"]);
}

#[test]
fn a_revocation_prints_who_has_confirmed_and_exits_3_where_somebody_has_not() {
    let item = |missing: &[&str]| {
        let unconfirmed =
            missing.iter().map(|name| UnconfirmedItem { node: format!("id-{name}"), name: (*name).into() });
        let (hash, name, version) = ("a".repeat(64), "hello".into(), "1.0".into());
        Reply::Revoked(RevokedItem { hash, name, version, confirmed: 3, unconfirmed: unconfirmed.collect() })
    };
    let at = |reply, more: &[&str]| {
        odeon_at(&giving(vec![reply]).data(), &[&["image", "revoke", "hello"][..], more].concat())
    };
    let ran = at(item(&[]), &["--json"]);
    assert_eq!((ran.code, ran.stderr.as_str()), (0, ""), "{ran:?}");
    assert_eq!(keys(&ran.stdout), ["hash", "name", "version", "confirmed", "unconfirmed"]);
    let ran = at(item(&["db", "web"]), &["--json"]);
    assert!(ran.code == 3 && ran.stderr.contains("error[OD-139]: "), "{ran:?}");
    let missing = json!([{"node": "id-db", "name": "db"}, {"node": "id-web", "name": "web"}]);
    let printed: serde_json::Value = serde_json::from_str(&ran.stdout).unwrap();
    assert_eq!((&printed["confirmed"], &printed["unconfirmed"]), (&json!(3), &missing));
    let ran = at(item(&["db\u{1b}"]), &[]);
    let lines: Vec<&str> = ran.stdout.lines().collect();
    let first = format!("{} hello@1.0 revoked, confirmed by 3 of 4 nodes", "a".repeat(64));
    assert_eq!(lines, [first.as_str(), "not confirmed: db\\u{1b} id-db\\u{1b}"]);
}

#[test]
fn actors_print_the_keys_of_the_contract() {
    let (actor, node, state) = ("Hello".into(), "db".into(), "idle".into());
    let item = ActorItem { address: address(), actor, image: None, node, parent: None, state, received: 5, queued: 1 };
    let expected = json!([{
        "address": address().to_string(), "actor": "Hello", "image": null, "node": "db", "parent": null,
        "state": "idle", "received": 5, "queued": 1,
    }]);
    assert_eq!(json_of(Reply::Actors(vec![item]), &["actors"]), expected);
}

#[test]
fn create_prints_the_address_and_the_node() {
    let created = Reply::Created(CreatedItem { address: address(), node: "db".into() });
    let expected = json!({"address": address().to_string(), "node": "db"});
    assert_eq!(json_of(created.clone(), &["create", "Hello"]), expected);
    let text = odeon_at(&giving(vec![created]).data(), &["create", "Hello"]);
    assert_eq!(text.stdout, format!("{}\n", address()), "a script can take the line as it is");
    assert_eq!(text.stderr, "created on db\n");
}

#[test]
fn explain_prints_the_keys_of_the_contract() {
    let expected = json!({
        "nodes": 4, "accepted": 0, "chosen": null,
        "rejected": [{"reason": "lacks gpu", "nodes": 3, "example": "web"}],
        "nearest": [{"node": "db", "lacks": ["gpu"]}],
    });
    assert_eq!(json_of(Reply::Explained(explanation()), &["explain", "Hello"]), expected);
    let text = odeon_at(&giving(vec![Reply::Explained(explanation())]).data(), &["explain", "Hello"]).stdout;
    let lines: Vec<&str> = text.lines().collect();
    assert_eq!(
        lines,
        ["0 of 4 nodes accept; no node can host it", "  3 nodes: lacks gpu (such as web)", "  nearest: db: gpu"]
    );
}

#[test]
fn logs_stream_lines_and_gaps_one_a_line() {
    let gap = LogGap { node: "web".into(), from: 3, to: 8, reason: "the spool was full".into() };
    let replies = vec![Reply::Item(Item::Log(log_line())), Reply::Item(Item::Gap(gap)), Reply::Done];
    let served = giving(replies);
    let ran = odeon_at(&served.data(), &["logs", "--json"]);
    assert_eq!(ran.code, 0, "{ran:?}");
    let lines: Vec<&str> = ran.stdout.lines().collect();
    let contract = ["time", "level", "node", "incarnation", "actor", "image", "target", "message", "fields", "seq"];
    assert_eq!(keys(lines[0]), contract);
    let first: serde_json::Value = serde_json::from_str(lines[0]).unwrap();
    assert_eq!((&first["level"], &first["fields"]["free"], &first["image"]), (&json!("warn"), &json!(3), &json!(null)));
    let gap: serde_json::Value = serde_json::from_str(lines[1]).unwrap();
    assert_eq!(gap, json!({"gap": {"node": "web", "from": 3, "to": 8, "reason": "the spool was full"}}));
    assert_eq!(lines.len(), 2);

    let text = odeon_at(&served.data(), &["logs"]).stdout;
    assert!(text.contains("WARN  db#2 odeon.TestActor: disk\\u{1b}[31m full free=3 actor=act-"), "{text}");
    assert!(text.contains("--- web: lines 3 to 8 are missing: the spool was full"), "{text}");
}

#[test]
fn a_reply_is_printed_as_it_is_and_as_json_when_asked() {
    let to = address().to_string();
    let ask = |value: Value, json: &[&str]| {
        odeon_at(&giving(vec![Reply::Answer(value)]).data(), &[&["ask", &to, "hi"], json].concat()).stdout
    };
    assert_eq!(ask("Hello, world!".into(), &[]), "Hello, world!\n");
    assert_eq!(ask("Hello, world!".into(), &["--json"]), "\"Hello, world!\"\n");
    assert_eq!(ask(Value::List(vec![1.into(), 2.5.into()]), &[]), "[1,2.5]\n");
    assert_eq!(ask(Value::Null, &[]), "null\n");
}

#[test]
fn the_rest_prints_something_for_scripts_and_little_for_people() {
    assert_eq!(json_of(Reply::Token("odt-1".into()), &["token", "create"]), json!({"token": "odt-1"}));
    assert_eq!(odeon_at(&giving(vec![Reply::Token("odt-1".into())]).data(), &["token", "create"]).stdout, "odt-1\n");
    assert_eq!(json_of(Reply::Done, &["capability", "set", "a=1"]), json!({"done": true}));
    assert_eq!(odeon_at(&giving(vec![Reply::Done]).data(), &["capability", "set", "a=1"]).stdout, "");
    let (required, signers) = (Some(2), vec!["ops SHA256:x".into()]);
    let view = AuthorityView { authority: "keyring".into(), required, signers, ..AuthorityView::default() };
    let expected = json!({"authority": "keyring", "required": 2, "signers": ["ops SHA256:x"]});
    assert_eq!(json_of(Reply::Authority(view.clone()), &["authority", "show"]), expected);
    let text = odeon_at(&giving(vec![Reply::Authority(view)]).data(), &["authority", "show"]).stdout;
    assert_eq!(text, "keyring\nrequired signers: 2\nops SHA256:x\n");
    let who = AuthorityActorItem { address: address(), actor: "Judge".into(), image: None, node: "db".into() };
    let view = AuthorityView {
        authority: "actor".into(),
        actor: Some(who),
        from: vec!["db".into()],
        answer_ms: Some(120_000),
        ..AuthorityView::default()
    };
    let address = address().to_string();
    let expected = json!({
        "authority": "actor", "required": null, "signers": [], "from": ["db"], "answer_ms": 120_000,
        "actor": {"address": address, "actor": "Judge", "image": null, "node": "db"},
    });
    assert_eq!(json_of(Reply::Authority(view.clone()), &["authority", "show"]), expected);
    let shown = |view| odeon_at(&giving(vec![Reply::Authority(view)]).data(), &["authority", "show"]).stdout;
    let text = format!("actor\nmay register: db\nwaits: 120 s\ndecides: Judge {address} on db\n");
    assert_eq!(shown(view.clone()), text);
    assert!(shown(AuthorityView { actor: None, ..view }).ends_with("decides: nobody\n"));
    let inner = Value::Map([("up".to_owned(), Value::Bool(true))].into());
    let status = Value::Map([("links".to_owned(), Value::List(vec![inner])), ("node".to_owned(), "db".into())].into());
    assert_eq!(json_of(Reply::Status(status.clone()), &["status"]), json!({"links": [{"up": true}], "node": "db"}));
    let text = odeon_at(&giving(vec![Reply::Status(status)]).data(), &["status"]).stdout;
    assert_eq!(text, "links:\n  1:\n    up: true\nnode: db\n");
}

#[test]
fn every_code_exits_as_its_table_says() {
    for (code, exit) in codes::ALL {
        let ran = odeon_at(&giving(vec![Reply::Failed(Failed::new(*code, "so it is"))]).data(), &["nodes", "--json"]);
        let name = codes::name(*code);
        let stderr = format!("error[{name}]: so it is\nrun 'odeon help {name}' for what to do\n");
        assert_eq!((ran.code, ran.stdout.as_str(), ran.stderr), (*exit, "", stderr));
    }
}

#[test]
fn no_compatible_node_exits_4_with_the_reasons_counted() {
    let failed = Failed { explanation: Some(explanation()), ..Failed::new(130, "none of 4 nodes can host Hello") };
    let ran = odeon_at(&giving(vec![Reply::Failed(failed)]).data(), &["create", "Hello"]);
    assert_eq!(ran.code, 4);
    let lines: Vec<&str> = ran.stderr.lines().collect();
    assert_eq!(lines[0], "error[OD-130]: none of 4 nodes can host Hello");
    assert_eq!(lines[1], "  3 nodes: lacks gpu (such as web)");
    assert_eq!(lines.len(), 4);
}

#[test]
fn an_answer_of_another_kind_is_a_failure() {
    for reply in [Reply::Done, Reply::Token("secret".into())] {
        let ran = odeon_at(&giving(vec![reply]).data(), &["nodes"]);
        assert!(ran.code == 1 && ran.stderr.starts_with("error[OD-103]"), "{ran:?}");
        assert!(!ran.stderr.contains("secret"));
    }
}
