//! Members that say they hold an image and serve something else: those that fetch it end with the exact bytes, say who
//! served what, and stop asking there.
#![allow(clippy::unwrap_used)]

use odeon_tests::cluster::{Cluster, Start, eventually, files_of, padded_hello, run_at};
use odeon_tests::rotten::{Asked, Rot, RottenPeer};
use std::path::Path;
use std::time::Duration;

const MIB: usize = 1024 * 1024;
const SOON: Duration = Duration::from_secs(60);
/// A source that broke off so often in a row is not asked again.
const BREAKS_MAX: u32 = 4;

fn whole(data: &Path, hash: &str) -> Option<Vec<u8>> {
    let mut files = files_of(data, hash).into_iter();
    std::fs::read(files.find(|path| path.extension().is_some_and(|e| e == "zip"))?).ok()
}

struct Fleet {
    cluster: Cluster,
    zip: Vec<u8>,
    hash: String,
    peers: Vec<RottenPeer>,
}

impl Fleet {
    /// Nodes that fetch at 1 MiB/s, so that all who say that they hold the image are asked before it is there.
    fn new(nodes: &[&str], rots: &[Rot]) -> Self {
        let mut cluster = Cluster::new().unwrap();
        for name in nodes {
            cluster.member(name, Start::default().and(&["--image-download-limit", "1MiB"])).unwrap();
        }
        let path = padded_hello(cluster.dir(), 4 * MIB);
        let pushed = cluster.leader().json(&["image", "push", &path.display().to_string()]);
        let hash = pushed["hash"].as_str().unwrap().to_owned();
        let join = |rot: &Rot| {
            let token = cluster.leader().run(&["token", "create"]).ok().out.trim().to_owned();
            let name = format!("{rot:?}").to_lowercase();
            RottenPeer::join(&cluster.dir().join(&name), &name, &token, &path, *rot).unwrap()
        };
        let peers = rots.iter().map(join).collect();
        let zip = std::fs::read(&path).unwrap();
        Self { cluster, zip, hash, peers }
    }

    /// All of these create from the image at once.
    fn fetch(&self, nodes: &[&str]) {
        let create = |name: &str| {
            let (data, name) = (self.cluster.node(name).data.clone(), name.to_owned());
            std::thread::spawn(move || run_at(&data, &["create", "hello", "Hello", "--on", &name]))
        };
        let asking: Vec<_> = nodes.iter().map(|name| create(name)).collect();
        for name in nodes {
            let data = &self.cluster.node(name).data;
            let found = eventually(SOON, "the image is whole", || Ok(whole(data, &self.hash))).unwrap();
            assert!(found == self.zip, "{name} has other bytes");
        }
        asking.into_iter().for_each(|one| drop(one.join().unwrap().ok()));
    }

    /// What the warnings of a node say of a peer.
    fn said(&self, node: &str, peer: &RottenPeer) -> Vec<String> {
        let said = self.cluster.node(node).stderr();
        let of_peer = said.lines().filter(|line| line.contains("\"level\":\"warn\"") && line.contains(&peer.id()));
        of_peer.map(str::to_owned).collect()
    }
}

#[test]
fn chunks_that_are_something_else_are_refused_and_who_serves_them_is_named_and_left_alone() {
    let nodes = ["n1", "n2", "n3"];
    let rots = [Rot::Flipped, Rot::Another, Rot::Cut, Rot::Unasked];
    let fleet = Fleet::new(&nodes, &rots);
    fleet.fetch(&nodes);
    for (rot, peer) in rots.iter().zip(&fleet.peers) {
        let asked = peer.asked();
        assert!(!asked.is_empty(), "nobody asked {rot:?}");
        for name in nodes {
            let Some(of_node) = asked.get(&fleet.cluster.node(name).id) else { continue };
            let said = fleet.said(name, peer);
            let says = |what: &str| said.iter().filter(|line| line.contains(what)).count() as u32;
            let Asked { chunks, taken, .. } = *of_node;
            println!("{name} asked {rot:?}: {of_node:?}");
            match rot {
                Rot::Flipped | Rot::Another => {
                    assert_eq!(taken, 1, "{name} and {rot:?}");
                    assert_eq!((says("bytes that are not chunk"), says("not asked any more")), (1, 1), "{said:#?}");
                }
                Rot::Cut => {
                    assert!((1..=BREAKS_MAX).contains(&taken), "{taken} chunks were cut for {name}");
                    assert_eq!(says("a source failed"), taken, "{said:#?}");
                }
                Rot::Unasked | Rot::Hashes => {
                    assert!((1..=BREAKS_MAX).contains(&chunks) && taken == 0, "{name}: {of_node:?}");
                    // The last may have been asked when the image was whole.
                    assert!(
                        says("something else than it was asked") + 1 >= chunks,
                        "{chunks} were asked for: {said:#?}"
                    );
                }
            }
        }
    }
    let at_leader = || fleet.cluster.leader().run(&["logs", "--json"]).ok().out;
    let told = |peer: &RottenPeer| {
        let of_peer = |line: &str| line.contains("not asked any more") && line.contains(&peer.id());
        at_leader().lines().any(of_peer).then_some(())
    };
    for peer in &fleet.peers[..2] {
        eventually(SOON, "the leader's log names it", || Ok(told(peer))).unwrap();
    }
}

#[test]
fn hashes_of_chunks_that_are_not_the_images_are_not_believed() {
    let fleet = Fleet::new(&["n1"], &[Rot::Hashes]);
    fleet.fetch(&["n1"]);
    let peer = &fleet.peers[0];
    assert_eq!(peer.asked()[&fleet.cluster.node("n1").id].lists, 1);
    let said = fleet.said("n1", peer);
    assert!(said.iter().any(|line| line.contains("hashes of chunks that are not those")), "{said:#?}");
}
