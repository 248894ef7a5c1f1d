//! What the command line accepts, what it makes of it, and what it refuses.

use crate::surroundings::{Answering, Served, odeon, odeon_at, started};
use odeon::{Address, Level, Value};
use odeon_capabilities::Requirements;
use odeon_convention::record::AuthoritySetting;
use odeon_convention::types::{Placement, Role};
use odeon_node::admin::protocol::{CreateArguments, LogQuery, Reply, Request, RevokeImage, SetAuthorityActor};
use odeon_node::cli::{AllowRemoteImages, ImageAuthority};
use std::num::NonZeroU64;
use std::path::Path;
use std::sync::mpsc::{Receiver, channel};
use std::time::Duration;

const ADDRESS: &str = "act-aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa";

/// A node that does whatever it is asked, and the requests that it got.
fn obedient() -> (Served, Receiver<Request>) {
    let (sender, requests) = channel();
    let served = Served::new(Answering(move |_, request, replies: odeon_node::admin::Replies| {
        sender.send(request).unwrap();
        async move { replies.send(Reply::Done).await.unwrap() }
    }));
    (served, requests)
}

fn request_of(arguments: &[&str]) -> Request {
    let (served, requests) = obedient();
    odeon_at(&served.data(), arguments);
    requests.try_recv().unwrap_or_else(|_| panic!("{arguments:?} asked nothing"))
}

#[test]
fn up_starts_with_what_the_contract_says_by_default() {
    let ran = odeon(&["up", "--data", "/nowhere", "--join", ""]);
    assert_eq!((ran.code, ran.stdout.as_str()), (0, ""), "{ran:?}");
    let options = started().unwrap();
    assert_eq!(options.data, Path::new("/nowhere"));
    assert_eq!(options.listen, "127.0.0.1:5340".parse().unwrap());
    assert_eq!((options.name, options.http, options.join, options.authority), (None, None, None, None));
    assert_eq!(options.allow_remote_images, AllowRemoteImages::Yes);
    assert!(!options.allow_actor_unload);
    assert_eq!((options.allow_process, options.process_user), (false, None));
    assert!(options.allowed.is_empty(), "nothing is allowed");
    assert!(options.capabilities.is_empty() && !options.json);
}

#[test]
fn up_takes_every_flag_that_scripts_pass() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("caps.toml");
    std::fs::write(&file, "zone = 'eu-1'\ngpu = 1\n\"Has DB access\" = true\nports = [1, 2]\n[rack]\nrow = 3\n")
        .unwrap();
    let signers = folder.path().join("signers");
    std::fs::write(&signers, "ops@example ssh-ed25519 AAAA\n").unwrap();
    let ran = odeon(&[
        "up",
        "--json",
        "--data",
        "/nowhere",
        "--name",
        "db-1",
        "--listen",
        "127.0.0.1:0",
        "--http",
        "off",
        "--capability",
        "gpu=2",
        "--capability",
        "label=a=b",
        "--capabilities",
        file.to_str().unwrap(),
        "--join",
        "TOKEN",
        "--authority",
        "keyring",
        "--allowed-signers",
        signers.to_str().unwrap(),
        "--signatures-required",
        "2",
        "--allow-remote-images",
        "leader-only",
        "--allow-actor-unload",
        "yes",
        "--image-authority",
        "Judge",
        "--image-authority-timeout",
        "90s",
        "--image-upload-limit",
        "10MiB",
        "--image-download-limit",
        "500kB",
        "--allow-process",
        "yes",
        "--process-user",
        "odeon-run",
        "--allow-outbound",
        "db.example.org:5432",
        "--allow-outbound",
        "10.0.0.0/8:*",
        "--allow-folder",
        "/srv/data:rw",
        "--allow-environment",
        "ZONE",
        "--transport",
        "tcp",
    ]);
    assert_eq!(ran.code, 0, "{ran:?}");
    let options = started().unwrap();
    let value = |key: &str| options.capabilities.value(key).cloned();
    assert_eq!(value("gpu"), Some(Value::Integer(2)), "a flag overrides the file");
    assert_eq!(value("Has DB access"), Some(Value::Bool(true)));
    assert_eq!(value("ports"), Some(Value::List(vec![1.into(), 2.into()])));
    assert_eq!(value("rack"), Some(Value::Map([("row".to_owned(), Value::Integer(3))].into())));
    assert_eq!(value("label"), Some("a=b".into()));
    assert_eq!((options.name.as_deref(), options.join.as_deref()), (Some("db-1"), Some("TOKEN")));
    assert_eq!(options.allow_remote_images, AllowRemoteImages::LeaderOnly);
    assert!(options.allow_actor_unload);
    let own = ImageAuthority { actor: "Judge".to_owned(), answer: Duration::from_secs(90) };
    assert_eq!(options.image_authority, Some(own));
    let limits = (options.image_upload_limit, options.image_download_limit);
    assert_eq!(limits, (NonZeroU64::new(10 * 1024 * 1024), NonZeroU64::new(500_000)));
    assert_eq!((options.allow_process, options.process_user.as_deref()), (true, Some("odeon-run")));
    assert_eq!(value("odeon.process"), Some(Value::Bool(true)), "others can see that it does");
    let allowed = &options.allowed;
    let outbound: Vec<String> = allowed.outbound.iter().map(ToString::to_string).collect();
    assert_eq!(outbound, ["db.example.org:5432", "10.0.0.0/8:*"]);
    assert_eq!(allowed.folders, ["/srv/data:rw".parse().unwrap()]);
    assert_eq!(allowed.environment, ["ZONE".parse().unwrap()]);
    assert_eq!(value("odeon.grants"), Some(Value::Bool(true)));
    let keys = "ops@example ssh-ed25519 AAAA\n".to_owned();
    assert_eq!(
        options.authority,
        Some(AuthoritySetting::Keyring { allowed_signers: keys, required: 2, age_identity: None })
    );
    assert!(options.json && options.tcp_only);
}

#[test]
fn a_wrong_command_line_exits_2_and_says_what_is_expected() {
    for (arguments, expected) in [
        (&["up", "--http", "127.0.0.1:5341"][..], "[possible values: off]"),
        (&["up", "--transport", "udp"], "[possible values: quic, tcp]"),
        (&["up", "--allow-actor-unload", "hello"], "[possible values: no, yes]"),
        (&["image", "build", "x", "--stack", "much"], "is no size"),
        (&["up", "--allow-process", "maybe"], "[possible values: no, yes]"),
        (&["up", "--process-user", "nobody"], "--process-user is for --allow-process yes"),
        (&["up", "--capability", "odeon.process=true"], "odeon.process is set by --allow-process yes"),
        (&["up", "--allow-outbound", "db"], "expected HOST:PORT"),
        (&["up", "--allow-folder", "srv"], "expected the whole path of a folder"),
        (&["up", "--allow-environment", "ODEON_JOIN"], "are the node's own"),
        (&["up", "--capability", "odeon.grants=true"], "odeon.grants is set by --allow-outbound"),
        (&["image", "new", "x", "--language", "java"], "[possible values: rust, python]"),
        (&["up", "--listen", "here"], "--listen"),
        (&["up", "--name", "a b"], "expected letters"),
        (&["up", "--capability", "gpu"], "expected KEY=VALUE"),
        (&["up", "--capabilities", "/nowhere.toml"], "/nowhere.toml"),
        (&["up", "--allowed-signers", "/nowhere"], "--authority keyring"),
        (&["up", "--authority", "keyring"], "allowed_signers"),
        (&["up", "--signatures-required", "2"], "--authority keyring"),
        (&["up", "--image-signers", "/nowhere"], "/nowhere"),
        (&["up", "--image-signers", "/dev/null"], "allowed signers without a key"),
        (&["up", "--image-signatures-required", "2"], "--image-signers"),
        (&["up", "--image-authority-timeout", "5s"], "--image-authority"),
        (&["up", "--image-authority", "Judge", "--image-authority-timeout", "500ms"], "is not from 1s to 600s"),
        (&["up", "--image-authority", "Judge", "--image-authority-timeout", "soon"], "is not a duration"),
        (&["up", "--authority", "accept-all", "--signatures-required", "2"], "only the authority 'keyring'"),
        (&["up", "--image-upload-limit", "fast"], "expected one such as 10MiB"),
        (&["up", "--image-upload-limit", "16383"], "no rate of at least 16384"),
        (&["up", "--image-download-limit", "18014398509481984MiB"], "expected one such as 10MiB"),
        (&["up", "--outbound-only", "--advertise", "a:1"], "cannot be used with"),
        (&["up", "--advertise", "a"], "is not HOST:PORT"),
        (&["up", "--await-invite", "--join", "x"], "cannot be used with"),
        (&["invite", "127.0.0.1:5340"], "--code"),
        (&["invite", "--code", "x"], "HOST:PORT"),
        (&["invite", "127.0.0.1:5340", "--list"], "cannot be used with"),
        (&["invite", "127.0.0.1:5340", "--code", "x", "--cancel", "127.0.0.1:5340"], "cannot be used with"),
        (&["invite", "--list", "--cancel", "127.0.0.1:5340"], "cannot be used with"),
        (&["invite", "--cancel", "5340"], "is not HOST:PORT"),
        (&["authority", "set", "keyring"], "--allowed-signers FILE"),
        (&["authority", "set", "keyring", "--allowed-signers", "x", "--required", "0"], "1..=16"),
        (&["authority", "set", "keyring", "--allowed-signers", "x", "--required", "17"], "1..=16"),
        (&["authority", "set", "none", "--required", "2"], "only the authority 'keyring'"),
        (&["authority", "set", "actor", "--required", "2"], "only the authority 'keyring'"),
        (&["authority", "set", "actor", "--age-identity", "/x"], "only the authority 'keyring'"),
        (&["authority", "set", "keyring", "--allowed-signers", "x", "--age-identity", "x"], "expected the whole path"),
        (&["up", "--age-identity", "/x"], "--authority keyring"),
        (&["authority", "set", "actor", "nobody"], "ADDRESS"),
        (&["authority", "set", "actor", ADDRESS, "--from", "db"], "cannot be used with"),
        (&["authority", "set", "accept-all", "--from", "db"], "for the authority 'actor'"),
        (&["authority", "set", "none", "--timeout", "1m"], "for the authority 'actor'"),
        (&["token", "create", "--ttl", "5"], "not a duration"),
        (&["token", "create", "--ttl", "5ms"], "less than one second"),
        (&["token", "create", "--uses", "0"], "--uses"),
        (&["node", "drain", "db", "--timeout", "0s"], "not a duration"),
        (&["node", "drain", "db", "--timeout", "5s", "--cancel"], "cannot be used with"),
        (&["create"], "ACTOR"),
        (&["create", "A", "--require", "=1"], "the key is empty"),
        (&["create", "A", "--require", "x=1", "--require", "x=2"], "two values"),
        (&["create", "A", "--placement", "best"], "least-loaded"),
        (&["create", "A", "--prefer", "0:ssd"], "between 1 and"),
        (&["create", "A", "--distinct", ""], "a group has 0 bytes, expected 1 to 256"),
        (&["ask", "act-1", "hi"], "an actor's address"),
        (&["nodes", "--connect", "127.0.0.1:5340"], "needs an operator's token"),
        (&["nodes", "--connect", "5340", "--token", "x"], "is not HOST:PORT"),
        (&["nodes", "--connect", "127.0.0.1:5340", "--token", "@/nowhere"], "/nowhere"),
        (&["up", "--connect", "127.0.0.1:5340"], "starts its own here"),
        (&["demo", "--connect", "127.0.0.1:5340"], "starts its own here"),
        (&["up", "--join", "@/nowhere"], "/nowhere"),
        (&["ask", ADDRESS], "MESSAGE"),
        (&["ask", ADDRESS, "99999999999999999999"], "64 bits"),
        (&["capability", "set"], "KEY=VALUE"),
        (&["logs", "--level", "loud"], "warn"),
        (&["image", "revoke"], "IMAGE"),
        (&["image", "revoke", "x", "--timeout", "0s"], "not a duration"),
        (&["shall"], "shall"),
        (&["flood", "--nodes", "3"], "flood"),
        (&["help", "nonsense"], "neither a command"),
        (&["help", "OD-998"], "there is no error OD-998"),
        (&[], "Usage"),
    ] {
        let ran = odeon(&[&["--data", "/nowhere"], arguments].concat());
        assert_eq!((ran.code, ran.stdout.as_str()), (2, ""), "{arguments:?}: {ran:?}");
        assert!(ran.stderr.contains(expected), "{arguments:?} does not say {expected:?}: {}", ran.stderr);
        assert_eq!(started(), None);
    }
}

#[test]
fn a_capability_that_no_map_holds_is_refused_before_anything_is_asked() {
    for arguments in [&["up", "--capability", "x=null"][..], &["capability", "set", "x=null"]] {
        let ran = odeon(&[&["--data", "/nowhere"], arguments].concat());
        assert_eq!(ran.code, 1);
        assert!(ran.stderr.starts_with("error[OD-135]: "), "{}", ran.stderr);
        assert!(ran.stderr.ends_with("run 'odeon help OD-135' for what to do\n"), "{}", ran.stderr);
    }
}

fn revocation(image: &str, end: bool, reason: &str, timeout_ms: u64) -> Request {
    let (image, reason, by) = (image.to_owned(), reason.to_owned(), String::new());
    Request::RevokeImage(Box::new(RevokeImage { image, end, reason, timeout_ms, by }))
}

fn authority_actor(actor: Option<Address>, from: &[&str], answer_ms: u64) -> Request {
    let from = from.iter().map(|node| (*node).to_owned()).collect();
    Request::SetAuthorityActor(Box::new(SetAuthorityActor { actor, from, answer_ms }))
}

#[test]
fn commands_become_the_requests_that_they_mean() {
    let address = ADDRESS.parse().unwrap();
    let none = || None::<String>;
    for (arguments, expected) in [
        (&["nodes"][..], Request::Nodes),
        (&["shutdown"], Request::Shutdown { on: none() }),
        (&["shutdown", "--on", "db"], Request::Shutdown { on: Some("db".into()) }),
        (&["node", "drain"], Request::Drain { on: none(), timeout_ms: 60_000 }),
        (&["node", "drain", "db", "--timeout", "90s"], Request::Drain { on: Some("db".into()), timeout_ms: 90_000 }),
        (&["node", "drain", "db", "--cancel"], Request::CancelDrain { on: Some("db".into()) }),
        (&["invite", "a:1", "--code", "x", "--claim", "gpu", "--timeout", "90s"], {
            let (address, code, claims) = ("a:1".into(), "x".into(), Some(vec!["gpu".to_owned()]));
            Request::Invite { address, code, claims, timeout_ms: 90_000 }
        }),
        (&["invite", "--list"], Request::Invitations),
        (&["invite", "--cancel", "a:1"], Request::CancelInvite { address: "a:1".into() }),
        (&["image", "list"], Request::Images),
        (&["image", "unload", "hello@1"], Request::UnloadImage { image: "hello@1".into() }),
        (&["image", "drain", "hello@1"], Request::DrainImage { image: "hello@1".into(), timeout_ms: 60_000 }),
        (&["image", "drain", "ab", "--timeout", "2m"], Request::DrainImage { image: "ab".into(), timeout_ms: 120_000 }),
        (&["image", "prefetch", "hello"], {
            let (image, requirements) = ("hello".to_owned(), odeon::Requirements::none());
            Request::Prefetch { image, requirements, timeout_ms: 60_000 }
        }),
        (&["image", "prefetch", "ab", "--where", "gpu > 1", "--require", "db", "--timeout", "5m"], {
            let requirements = odeon::Requirements::none().require("db").expression("gpu > 1");
            Request::Prefetch { image: "ab".to_owned(), requirements, timeout_ms: 300_000 }
        }),
        (&["image", "revoke", "hello@1"], revocation("hello@1", false, "", 10_000)),
        (
            &["image", "revoke", "ab", "--end", "--reason", "it leaks", "--timeout", "1m"],
            revocation("ab", true, "it leaks", 60_000),
        ),
        (&["authority", "set", "accept-all"], Request::SetAuthority { authority: AuthoritySetting::AcceptAll }),
        (&["authority", "set", "actor"], authority_actor(None, &[], 120_000)),
        (&["authority", "set", "actor", ADDRESS, "--timeout", "30s"], authority_actor(Some(address), &[], 30_000)),
        (
            &["authority", "set", "actor", "--from", "db", "--from", "gpu"],
            authority_actor(None, &["db", "gpu"], 120_000),
        ),
        (&["authority", "show"], Request::Authority),
        (&["image", "show", "hello@1"], Request::ShowImage { image: "hello@1".into() }),
        (
            &["tell", ADDRESS, "{\"a\": 1}"],
            Request::Tell { address, message: Value::Map([("a".to_owned(), Value::Integer(1))].into()) },
        ),
        (&["ask", ADDRESS, "-5"], Request::Ask { address, message: Value::Integer(-5), timeout_ms: 5_000 }),
        (
            &["ask", ADDRESS, "--timeout", "1m", "--", "--hi"],
            Request::Ask { address, message: "--hi".into(), timeout_ms: 60_000 },
        ),
        (&["stop", ADDRESS], Request::Stop { address }),
        (&["log-level", ADDRESS, "debug"], Request::SetLogLevel { address, level: Some(odeon::Level::Debug) }),
        (&["log-level", ADDRESS, "default"], Request::SetLogLevel { address, level: None }),
        (&["actors", "--node", "db"], Request::Actors { node: Some("db".into()) }),
        (&["status"], Request::Status { of: none() }),
        (&["status", ADDRESS], Request::Status { of: Some(ADDRESS.into()) }),
        (&["token", "create"], Request::CreateToken { role: Role::Member, ttl_s: 3_600, uses: None, claims: None }),
        (
            &[
                "token", "create", "--role", "operator", "--ttl", "90m", "--uses", "3", "--claim", "gpu", "--claim",
                "a b",
            ],
            {
                let claims = Some(vec!["gpu".to_owned(), "a b".to_owned()]);
                Request::CreateToken { role: Role::Operator, ttl_s: 5_400, uses: Some(3), claims }
            },
        ),
        (&["logs"], {
            let (node, image) = (none(), none());
            Request::Logs(LogQuery { level: Level::Warn, node, actor: None, image, since_ms: None, follow: false })
        }),
        (&["logs", "--level", "error", "--node", "db", "--actor", ADDRESS, "--image", "ab", "--since", "10m"], {
            let (node, image, actor) = (Some("db".into()), Some("ab".into()), Some(address));
            Request::Logs(LogQuery { level: Level::Error, node, actor, image, since_ms: Some(600_000), follow: false })
        }),
    ] {
        assert_eq!(request_of(arguments), expected, "{arguments:?}");
    }
}

#[test]
fn capabilities_are_set_and_unset_as_one_change() {
    let Request::SetCapabilities { on, delta } = request_of(&["capability", "set", "Has DB access=false", "gpu=2"])
    else {
        panic!("another request")
    };
    assert_eq!(on, None);
    assert_eq!(delta.0["Has DB access"], Some(Value::Bool(false)));
    assert_eq!(delta.0["gpu"], Some(Value::Integer(2)));
    let Request::SetCapabilities { on, delta } = request_of(&["capability", "unset", "gpu", "--on", "db"]) else {
        panic!("another request")
    };
    assert_eq!((on.as_deref(), delta.0.len(), &delta.0["gpu"]), (Some("db"), 1, &None));
}

#[test]
fn create_and_explain_take_the_same_flags() {
    let flags = [
        "hello@1.2",
        "Hello",
        "--require",
        "Has DB access",
        "--require",
        "zone=eu-1",
        "--where",
        "gpu >= 2",
        "--prefer",
        "ssd",
        "--prefer",
        "10:gpu > 4",
        "--placement",
        "least-loaded",
        "--on",
        "db",
        "--global-name",
        "greeter",
        "--distinct",
        "replica",
        "--arg",
        "[1]",
    ];
    let expected = Box::new(CreateArguments {
        image: Some("hello@1.2".into()),
        actor: "Hello".into(),
        requirements: Requirements::none()
            .require("Has DB access")
            .equal("zone", "eu-1")
            .expression("gpu >= 2")
            .prefer("ssd", 1)
            .prefer("gpu > 4", 10),
        placement: Placement::LeastLoaded,
        on: Some("db".into()),
        global_name: Some("greeter".into()),
        argument: Some(Value::List(vec![1.into()])),
        distinct: Some("replica".into()),
    });
    assert_eq!(request_of(&[&["create"], &flags[..]].concat()), Request::Create(expected.clone()));
    assert_eq!(request_of(&[&["explain"], &flags[..]].concat()), Request::Explain(expected));
    let Request::Create(linked) = request_of(&["create", "odeon.TestActor"]) else { panic!("another request") };
    assert_eq!((linked.image, linked.actor.as_str()), (None, "odeon.TestActor"));
}

#[test]
fn a_pushed_file_arrives_as_it_is() {
    let folder = tempfile::tempdir().unwrap();
    let [image, signature] = ["a.zip", "a.sig"].map(|name| folder.path().join(name).to_str().unwrap().to_owned());
    let bytes: Vec<u8> = (0..3_000_000u32).map(|n| n as u8).collect();
    std::fs::write(&image, &bytes).unwrap();
    std::fs::write(&signature, "armour").unwrap();
    let Request::PushImage(pushed) = request_of(&["image", "push", &image, "--signature", &signature]) else {
        panic!("another request")
    };
    assert!(pushed.bytes == bytes && pushed.signature.as_deref() == Some("armour"));
    let sixteen: Vec<&str> = [&["image", "push", &image][..], &["--signature", &signature].repeat(16)].concat();
    let Request::PushImage(pushed) = request_of(&sixteen) else { panic!("another request") };
    assert_eq!((pushed.signature.as_deref(), pushed.more_signatures.len()), (Some("armour"), 15));
    let more = odeon(&[&["--data", "/nowhere"], &sixteen[..], &["--signature", &signature]].concat());
    assert!(more.code == 2 && more.stderr.contains("at most 16"), "{more:?}");
    let missing = odeon(&["--data", "/nowhere", "image", "push", "/nowhere.zip"]);
    assert!(missing.code == 2 && missing.stderr.contains("/nowhere.zip"), "{missing:?}");
}

#[test]
fn help_prints_pages_and_the_help_of_commands() {
    let page = odeon(&["help", "OD-130"]);
    assert!(page.code == 0 && page.stdout.starts_with("# OD-130: "), "{page:?}");
    for (code, _) in odeon_convention::codes::ALL {
        let name = odeon_convention::codes::name(*code);
        let (text, json) = (odeon(&["help", &name]), odeon(&["help", &name, "--json"]).json());
        assert!(text.code == 0 && text.stdout.starts_with(&format!("# {name}: ")), "{text:?}");
        assert_eq!((&json["code"], json["page"].as_str().unwrap().trim_end()), (&name.into(), text.stdout.trim_end()));
    }
    let whole = odeon(&["help"]);
    assert!(whole.code == 0 && whole.stdout.contains("Usage: odeon"), "{whole:?}");
    let nested = odeon(&["help", "token", "create"]);
    assert!(nested.code == 0 && nested.stdout.contains("--ttl"), "{nested:?}");
    assert!(odeon(&["--version"]).stdout.starts_with("odeon "));
}

#[test]
fn a_project_is_started_packed_signed_and_verified_without_a_node() {
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| folder.path().join(name).to_str().unwrap().to_owned();
    let (project, zip, key, signers) = (at("greeter"), at("g.zip"), at("key"), at("signers"));
    let started = odeon(&["image", "new", &project, "--json"]).json();
    assert_eq!(started["name"], "greeter");
    let again = odeon(&["image", "new", &project]);
    assert!(again.code == 2 && again.stderr.contains("is there already"), "{again:?}");

    let unbuilt = odeon(&["image", "pack", &project, "-o", &zip]);
    assert!(unbuilt.code == 1 && unbuilt.stderr.starts_with("error[OD-120]: no file"), "{unbuilt:?}");
    let manifest = std::fs::read_to_string(format!("{project}/odeon.toml")).unwrap();
    let code = manifest.lines().find_map(|l| l.strip_prefix("code = ")).unwrap().trim_matches('"').to_owned();
    let code = Path::new(&project).join(code);
    std::fs::create_dir_all(code.parent().unwrap()).unwrap();
    std::fs::write(&code, b"\0asm\x0d\0\x01\0").unwrap();
    let packed = odeon(&["image", "pack", &project, "-o", &zip, "--json"]).json();
    assert_eq!((&packed["name"], &packed["file"]), (&"greeter".into(), &zip.as_str().into()));
    assert_eq!(packed["size"], std::fs::metadata(&zip).unwrap().len());

    let allow = |key: &str| {
        let made = std::process::Command::new("ssh-keygen").args(["-q", "-t", "ed25519", "-N", "", "-f", key]).output();
        assert!(made.unwrap().status.success(), "this test needs ssh-keygen");
        let public = std::fs::read_to_string(format!("{key}.pub")).unwrap();
        std::fs::write(&signers, format!("ops@example {public}")).unwrap();
    };
    allow(&key);
    let signed = odeon(&["image", "sign", &zip, "--key", &key, "--json"]).json();
    let signature = format!("{zip}.sig");
    assert_eq!(signed["signature"], signature.as_str());
    let verify = ["image", "verify", &zip, "--signature", &signature, "--allowed-signers", &signers];
    let good = odeon(&verify);
    assert!(good.code == 0 && good.stdout.contains("ops@example"), "{good:?}");

    let mine = std::fs::read_to_string(&signers).unwrap();
    allow(&at("other"));
    let foreign = odeon(&verify);
    assert!(foreign.code == 5 && foreign.stderr.starts_with("error[OD-125]"), "{foreign:?}");
    let theirs = std::fs::read_to_string(&signers).unwrap();
    std::fs::write(&signers, format!("{mine}{}", theirs.replace("ops@", "dev@"))).unwrap();
    let signed = odeon(&["image", "sign", &zip, "--key", &at("other"), "-o", &at("other.sig")]);
    assert_eq!(signed.code, 0, "{signed:?}");
    let two = [&verify[..], &["--required", "2"]].concat();
    let one_of_two = odeon(&two);
    assert!(one_of_two.code == 5 && one_of_two.stderr.starts_with("error[OD-160]: 1 of 2"), "{one_of_two:?}");
    let both = odeon(&[&two[..], &["--signature", &at("other.sig")]].concat());
    assert!(both.code == 0 && both.stdout.starts_with("ops@example and dev@example: "), "{both:?}");
    let public_key = odeon(&["image", "sign", &zip, "--key", &format!("{key}.pub")]);
    assert!(public_key.code == 2 && public_key.stderr.contains("public key"), "{public_key:?}");

    let sign = ["image", "sign", &zip, "--statement", "--not-after"];
    let stated = odeon(&[&sign[..], &["2099-01-01T00:00:00Z", "--key", &at("other"), "--json"]].concat()).json();
    let approval = format!("{zip}.approval");
    assert_eq!(stated["signature"], approval.as_str());
    assert!(std::fs::read_to_string(&approval).unwrap().starts_with("odeon-approval 1\nhash: "));
    let statement = ["image", "verify", &zip, "--signature", &approval, "--allowed-signers", &signers];
    assert!(odeon(&statement).stdout.starts_with("dev@example: "));
    let over = odeon(&[&sign[..], &["20200101Z", "--key", &at("other")]].concat());
    assert_eq!(over.code, 0, "{over:?}");
    let over = odeon(&statement);
    assert!(over.code == 5 && over.stderr.starts_with("error[OD-161]"), "{over:?}");
    let unsigned = odeon(&[&sign[..], &["20990101Z"]].concat());
    assert!(unsigned.code == 0 && unsigned.stdout.contains("ssh-keygen -Y sign -n odeon-approval"), "{unsigned:?}");
    let unsigned = odeon(&statement);
    assert!(unsigned.code == 5 && unsigned.stderr.contains("statement without a signature"), "{unsigned:?}");
    for (flags, expected) in [
        (&["--not-after", "20990101Z", "--key", &key][..], "--statement"),
        (&["--statement", "--not-after", "soon"], "is not a time"),
        (&["--statement", "--not-after", "20200101", "--not-before", "20210101"], "which is before"),
        (&[], "--key"),
    ] {
        let wrong = odeon(&[&["image", "sign", &zip], flags].concat());
        assert!(wrong.code == 2 && wrong.stderr.contains(expected), "{wrong:?}");
    }

    let (from_folder, from_file) = (request_of(&["image", "push", &project]), request_of(&["image", "push", &zip]));
    assert_eq!(from_folder, from_file, "a folder is pushed as it is packed");
}
