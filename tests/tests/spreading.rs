//! An image spreads over hosts whose links are as fast as they are: in how much time, and what of it the leader sends;
//! with nodes that are killed in the middle, a node whose disk has rotted, and a leader that restarts.
#![allow(clippy::unwrap_used)]

use odeon_tests::cluster::{Cluster, Start, eventually, files_of, padded_hello, run_at};
use odeon_tests::hosts::Hosts;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

const MIB: usize = 1024 * 1024;
const SOON: Duration = Duration::from_secs(30);

fn whole(data: &Path, hash: &str) -> Option<PathBuf> {
    files_of(data, hash).into_iter().find(|path| path.extension().is_some_and(|e| e == "zip"))
}

/// Bytes that a file takes on the disk: of one that has holes, what has come.
fn came_bytes(data: &Path, hash: &str) -> u64 {
    use std::os::unix::fs::MetadataExt;
    let part = files_of(data, hash).into_iter().find(|path| path.extension().is_some_and(|e| e == "fetch"));
    part.and_then(|path| std::fs::metadata(path).ok()).map_or(0, |file| file.blocks() * 512)
}

struct Fleet {
    hosts: Hosts,
    cluster: Cluster,
    hash: String,
    zip: PathBuf,
    nodes: u8,
    mbit: u32,
}

impl Fleet {
    fn new(nodes: u8, mbit: u32, noise_bytes: usize) -> Self {
        let hosts = Hosts::new(nodes + 1).unwrap();
        let on = |number: u8, arguments: &[&str]| {
            let listen = Some(format!("{}:5340", Hosts::address(number)));
            Start { before: hosts.on(number), listen, ..Start::default() }.and(arguments)
        };
        let mut cluster = Cluster::led_by(on(0, &["--authority", "accept-all"])).unwrap();
        for number in 1..=nodes {
            cluster.member(&name(number), on(number, &[])).unwrap();
        }
        let zip = padded_hello(cluster.dir(), noise_bytes);
        let pushed = cluster.leader().json(&["image", "push", &zip.display().to_string()]);
        let hash = pushed["hash"].as_str().unwrap().to_owned();
        (0..=nodes).for_each(|number| hosts.limit(number, mbit).unwrap());
        Self { hosts, cluster, hash, zip, nodes, mbit }
    }

    fn data(&self, number: u8) -> PathBuf {
        self.cluster.node(&name(number)).data.clone()
    }

    fn size(&self) -> u64 {
        std::fs::metadata(&self.zip).unwrap().len()
    }

    /// What one link needs for the image alone.
    fn alone(&self) -> Duration {
        Duration::from_secs_f64(self.size() as f64 * 8.0 / (f64::from(self.mbit) * 1e6))
    }

    /// Has a node fetch the image, by a creation there that the node itself asks for.
    fn fetch(&self, number: u8) -> std::thread::JoinHandle<()> {
        let (data, name) = (self.data(number), name(number));
        std::thread::spawn(move || {
            let ran = run_at(&data, &["create", "hello", "Hello", "--on", &name]);
            println!("{name}: {} {}", ran.code, ran.err.trim());
        })
    }

    fn until_whole(&self, numbers: &[u8], since: Instant, at_most: Duration) -> Vec<f64> {
        let mut times = vec![None; numbers.len()];
        eventually(at_most, "all have the image", || {
            for (number, time) in numbers.iter().zip(&mut times) {
                if time.is_none() && whole(&self.data(*number), &self.hash).is_some() {
                    *time = Some(since.elapsed().as_secs_f64());
                }
            }
            Ok(times.iter().all(Option::is_some).then_some(()))
        })
        .unwrap_or_else(|error| panic!("{error}: {times:?}"));
        let mut times: Vec<f64> = times.into_iter().flatten().collect();
        times.sort_by(f64::total_cmp);
        times
    }

    fn assert_exact(&self, numbers: &[u8]) {
        let expected = std::fs::read(&self.zip).unwrap();
        for number in numbers {
            let found = std::fs::read(whole(&self.data(*number), &self.hash).unwrap()).unwrap();
            assert!(found == expected, "{} has other bytes", name(*number));
        }
    }

    /// All fetch at once. Gives the last one's time in times of one link alone, and what the leader sent in images.
    fn spread(&mut self) -> (f64, f64) {
        self.spread_with(&[], |_| ())
    }

    /// The same, with something that happens in the middle; of the `lost` nothing is expected.
    fn spread_with(&mut self, lost: &[u8], happens: impl FnOnce(&mut Self)) -> (f64, f64) {
        let sent = self.hosts.sent_bytes(0).unwrap();
        let since = Instant::now();
        let asking: Vec<_> = (1..=self.nodes).map(|number| self.fetch(number)).collect();
        happens(self);
        let numbers: Vec<u8> = (1..=self.nodes).filter(|number| !lost.contains(number)).collect();
        let times = self.until_whole(&numbers, since, 20 * self.alone() + SOON);
        let copies = (self.hosts.sent_bytes(0).unwrap() - sent) as f64 / self.size() as f64;
        self.assert_exact(&numbers);
        asking.into_iter().for_each(|one| one.join().unwrap());
        let (alone, last) = (self.alone().as_secs_f64(), *times.last().unwrap());
        println!(
            "{} nodes, {} bytes, {} Mbit/s: one link alone {alone:.1} s; first {:.1} s, median {:.1} s, last {last:.1} s \
             = {:.2} times; the leader sent {copies:.2} copies",
            self.nodes,
            self.size(),
            self.mbit,
            times[0],
            times[times.len() / 2],
            last / alone,
        );
        (last / alone, copies)
    }
}

fn name(number: u8) -> String {
    format!("n{number}")
}

#[test]
fn six_nodes_have_an_image_in_a_few_times_what_one_link_needs_and_feed_each_other() {
    let mut fleet = Fleet::new(6, 8, 4 * MIB);
    let (times, copies) = fleet.spread();
    assert!(times <= 4.0, "{times:.2} times what one link needs alone");
    assert!(copies <= 4.0, "the leader sent {copies:.2} copies to six");
}

/// Mbit/s of the links of sixty-four nodes. What the cores of one machine can do for all of them is the limit.
fn mbit_of_many() -> u32 {
    std::env::var("ODEON_SPREAD_MBIT").map_or(10, |mbit| mbit.parse().expect("a number"))
}

#[test]
#[ignore = "minutes, and both cores: for docs/scale.md"]
fn sixty_four_nodes_have_an_image_of_sixty_three_mebibytes() {
    let (times, copies) = Fleet::new(64, mbit_of_many(), 63 * MIB).spread();
    assert!(times <= 2.5, "{times:.2} times what one link needs alone");
    assert!(copies <= 8.0, "the leader sent {copies:.2} copies");
}

#[test]
#[ignore = "minutes, and both cores: for docs/scale.md"]
fn sixty_four_nodes_have_it_although_some_are_killed_and_the_leader_restarts() {
    let mut fleet = Fleet::new(64, mbit_of_many(), 63 * MIB);
    let killed = [3, 17, 31, 45];
    let (times, _) = fleet.spread_with(&killed, |fleet| {
        std::thread::sleep(fleet.alone() / 2);
        killed.iter().for_each(|number| fleet.cluster.node_mut(&name(*number)).kill());
        std::thread::sleep(fleet.alone() / 4);
        fleet.cluster.node_mut("leader").kill();
        fleet.cluster.node_mut("leader").restart().unwrap();
    });
    assert!(times <= 5.0, "{times:.2} times what one link needs alone");
}

#[test]
fn an_image_arrives_whole_beside_a_rotten_peer_a_killed_one_and_a_leader_that_restarts() {
    let mut fleet = Fleet::new(6, 8, 4 * MIB);
    let since = Instant::now();
    fleet.fetch(1).join().unwrap();
    fleet.until_whole(&[1], since, SOON);
    // It has seen it whole, and does not look again before it serves it.
    let stored = whole(&fleet.data(1), &fleet.hash).unwrap();
    let mut bytes = std::fs::read(&stored).unwrap();
    bytes.iter_mut().step_by(1000).for_each(|byte| *byte ^= 1);
    std::fs::write(&stored, bytes).unwrap();
    let asking: Vec<_> = (2..=6).map(|number| fleet.fetch(number)).collect();
    let part = |number| came_bytes(&fleet.data(number), &fleet.hash);
    eventually(SOON, "some has come", || Ok((part(2) > MIB as u64 / 2).then_some(()))).unwrap();
    fleet.cluster.node_mut("n2").kill();
    fleet.cluster.node_mut("leader").kill();
    fleet.cluster.node_mut("leader").restart().unwrap();
    fleet.until_whole(&[3, 4, 5, 6], since, 4 * SOON);
    fleet.assert_exact(&[3, 4, 5, 6]);
    asking.into_iter().for_each(|one| one.join().unwrap());
    let corrupt = std::fs::read_dir(fleet.data(1).join("images/corrupt")).unwrap().count();
    assert_eq!(corrupt, 1, "who served it has noticed, and has moved it aside");
    let said: String = (3..=6).map(|number| fleet.cluster.node(&name(number)).stderr()).collect();
    let refused = said.lines().filter(|line| line.contains("bytes that are not chunk")).collect::<Vec<_>>();
    assert!(refused.is_empty(), "and has sent nothing of it: {refused:#?}");
}

#[test]
fn a_fetch_goes_on_after_a_restart_with_what_had_come_and_the_limit_is_kept() {
    let mut cluster = Cluster::new().unwrap();
    cluster.member("slow", Start::default().and(&["--image-download-limit", "1MiB"])).unwrap();
    let zip = padded_hello(cluster.dir(), 6 * MIB);
    let hash =
        cluster.leader().json(&["image", "push", &zip.display().to_string()])["hash"].as_str().unwrap().to_owned();
    let data = cluster.node("slow").data.clone();
    let create =
        |data: PathBuf| std::thread::spawn(move || run_at(&data, &["create", "hello", "Hello", "--on", "slow"]));
    let since = Instant::now();
    let asking = create(data.clone());
    eventually(SOON, "half of it has come", || Ok((came_bytes(&data, &hash) > 3 * MIB as u64).then_some(()))).unwrap();
    assert!(since.elapsed() > Duration::from_secs(2), "3 MiB at 1 MiB/s came in {:?}", since.elapsed());
    cluster.node_mut("slow").kill();
    asking.join().unwrap();
    cluster.node_mut("slow").restart().unwrap();
    cluster.until_state("slow", "alive", SOON).unwrap();
    let since = Instant::now();
    create(data.clone()).join().unwrap().ok();
    let took = since.elapsed();
    assert!(took < Duration::from_secs(6), "what had come was not fetched again: {took:?}");
    let said = cluster.node("slow").stderr();
    assert!(said.contains("goes on with what had come"), "{said}");
    assert_eq!(std::fs::read(whole(&data, &hash).unwrap()).unwrap(), std::fs::read(&zip).unwrap());
    assert!(files_of(&data, &hash).iter().all(|path| path.extension().is_none_or(|e| e != "fetch")));
}

#[test]
fn a_word_to_an_actor_does_not_wait_behind_an_image() {
    let mut cluster = Cluster::new().unwrap();
    cluster.member("busy", Start::default().and(&["--image-download-limit", "2MiB"])).unwrap();
    let (address, _) = cluster.leader().create(&["odeon.TestActor", "--on", "busy"]);
    let zip = padded_hello(cluster.dir(), 16 * MIB);
    let hash =
        cluster.leader().json(&["image", "push", &zip.display().to_string()])["hash"].as_str().unwrap().to_owned();
    let data = cluster.node("busy").data.clone();
    let leader = cluster.leader().data.clone();
    let asking = std::thread::spawn(move || run_at(&leader, &["create", "hello", "Hello", "--on", "busy"]));
    eventually(SOON, "it comes", || Ok((came_bytes(&data, &hash) > MIB as u64).then_some(()))).unwrap();
    let progress = cluster.node("busy").json(&["status"])["fetching"][&hash].clone();
    let (came, of) = (progress["bytes"].as_u64().unwrap(), progress["of"].as_u64().unwrap());
    assert!(0 < came && came < of && of == std::fs::metadata(&zip).unwrap().len(), "{progress}");
    let delays: Vec<Duration> = (0..20)
        .map(|_| {
            let since = Instant::now();
            cluster.leader().ask(&address, "info beside an image");
            since.elapsed()
        })
        .collect();
    assert!(whole(&data, &hash).is_none(), "it comes all the time");
    let longest = delays.iter().max().unwrap();
    println!("{delays:?}");
    assert!(*longest < Duration::from_secs(1), "a word took {longest:?}");
    asking.join().unwrap().ok();
}
