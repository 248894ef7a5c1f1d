//! The containers of `deploy/compose.yaml`, from the static binary and an empty root.
#![allow(clippy::unwrap_used)]

use serde_json::Value;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::time::Duration;

fn repository() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap().to_path_buf()
}

/// One run of the Compose file, with names and a network of its own; dropping it removes everything.
struct Composed {
    project: String,
    image: String,
}

impl Composed {
    fn compose(&self, arguments: &[&str]) -> Output {
        let mut command = Command::new("docker-compose");
        command.args(["-p", &self.project, "-f"]).arg(repository().join("deploy/compose.yaml")).args(arguments);
        command.env("ODEON_IMAGE", &self.image).output().expect("docker-compose is there (package docker-compose)")
    }

    fn odeon(&self, service: &str, arguments: &[&str]) -> Output {
        let mut all = vec!["exec", "-T", service, "/odeon"];
        all.extend_from_slice(arguments);
        self.compose(&all)
    }

    fn json(&self, service: &str, arguments: &[&str]) -> Value {
        let ran = self.odeon(service, arguments);
        serde_json::from_slice(&done(ran).stdout).expect("JSON")
    }

    fn state(&self, name: &str) -> Option<String> {
        let nodes = self.json("leader", &["nodes", "--json"]);
        let node = nodes.as_array()?.iter().find(|n| n["name"] == name)?;
        node["state"].as_str().map(str::to_owned)
    }
}

impl Drop for Composed {
    fn drop(&mut self) {
        if std::thread::panicking() {
            let logs = self.compose(&["logs", "--no-color", "--tail", "50"]);
            eprintln!("{}", String::from_utf8_lossy(&logs.stdout));
        }
        self.compose(&["down", "-v", "--remove-orphans", "-t", "3"]);
        let _ = Command::new("docker").args(["image", "rm", "-f", &self.image]).output();
    }
}

fn done(ran: Output) -> Output {
    let said = String::from_utf8_lossy(&ran.stderr);
    assert!(ran.status.success(), "{}\n{said}", String::from_utf8_lossy(&ran.stdout));
    ran
}

fn until(what: &str, mut ask: impl FnMut() -> bool) {
    odeon_tests::cluster::eventually(Duration::from_secs(60), what, || Ok(ask().then_some(()))).unwrap();
}

#[test]
fn four_containers_form_a_convention_place_by_capability_and_survive_the_loss_of_one() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::copy(odeon_tests::cluster::odeon(), folder.path().join("odeon")).unwrap();
    let image = format!("odeon-test-{}", std::process::id());
    let built = Command::new("docker")
        .args(["build", "-q", "-t", &image, "-f"])
        .arg(repository().join("deploy/Dockerfile.prebuilt"))
        .arg(folder.path())
        .output()
        .expect("docker is there (package docker.io)");
    done(built);
    let composed = Composed { project: format!("odeontest{}", std::process::id()), image };
    done(composed.compose(&["up", "-d"]));
    for name in ["leader", "db", "gpu", "web"] {
        until(&format!("{name} is in"), || composed.state(name).as_deref() == Some("alive"));
    }
    let made = composed.json("web", &["create", "odeon.TestActor", "--require", "Has DB access", "--json"]);
    assert_eq!(made["node"], "db", "{made}");
    let address = made["address"].as_str().unwrap();
    let reply = done(composed.odeon("web", &["ask", address, "warn from a container"]));
    assert_eq!(String::from_utf8_lossy(&reply.stdout).trim(), "logged");
    until("the warning is at the leader", || {
        let logs = done(composed.odeon("leader", &["logs", "--node", "db", "--json"]));
        String::from_utf8_lossy(&logs.stdout).contains("from a container")
    });
    done(composed.compose(&["kill", "-s", "SIGKILL", "db"]));
    until("the leader knows that db is dead", || composed.state("db").as_deref() == Some("dead"));
    let refused = composed.odeon("web", &["create", "odeon.TestActor", "--require", "Has DB access"]);
    assert_eq!(refused.status.code(), Some(4), "{}", String::from_utf8_lossy(&refused.stderr));
    done(composed.compose(&["start", "db"]));
    until("db is back", || composed.state("db").as_deref() == Some("alive"));
    done(composed.compose(&["down", "-v", "-t", "5"]));
}
