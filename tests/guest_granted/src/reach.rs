//! What can be tried, and what is said of how it went.

use std::fs::{self, File};
use std::io::{self, BufRead, BufReader, Write};
use std::net::{TcpListener, TcpStream, ToSocketAddrs, UdpSocket};
use std::time::Duration;

/// What stays open.
pub enum Kept {
    /// A file.
    File(File),
    /// A connection.
    Connection(BufReader<TcpStream>),
}

/// Tries something, as `read /srv/x` says, and tells what came of it.
pub fn reach(what: &str, kept: &mut Vec<Kept>) -> String {
    let (action, on) = what.split_once(' ').unwrap_or((what, ""));
    let tried = match action {
        "read" => fs::read_to_string(on),
        "write" => fs::write(on, "written").map(|()| "written".to_owned()),
        "remove" => fs::remove_file(on).map(|()| "removed".to_owned()),
        "list" => list(on),
        "variable" => Ok(std::env::var(on).unwrap_or_else(|_| "absent".to_owned())),
        "variables" => Ok(std::env::vars().count().to_string()),
        "ask" => ask(on),
        "keep" => connect(on).map(|connection| {
            kept.push(Kept::Connection(connection));
            "kept".to_owned()
        }),
        "again" => again(kept),
        "resolve" => on.to_socket_addrs().map(|found| format!("{} addresses", found.count())),
        "listen" => TcpListener::bind(on).map(|_| "listening".to_owned()),
        "datagram" => UdpSocket::bind("0.0.0.0:0").and_then(|s| s.send_to(b"x", on)).map(|n| format!("{n} bytes")),
        "open" => open(on, kept),
        "send" => send(on),
        "sleep" => {
            std::thread::sleep(Duration::from_secs(60));
            Ok("slept".to_owned())
        }
        "loop" => loop {
            std::hint::black_box(action);
        },
        _ => nonsense(),
    };
    tried.unwrap_or_else(|error| format!("failed: {:?}", error.kind()))
}

fn nonsense() -> io::Result<String> {
    Err(io::ErrorKind::InvalidInput.into())
}

fn list(path: &str) -> io::Result<String> {
    let mut names: Vec<String> = Vec::new();
    for entry in fs::read_dir(path)? {
        names.push(entry?.file_name().to_string_lossy().into_owned());
    }
    names.sort();
    Ok(names.join(" "))
}

fn connect(to: &str) -> io::Result<BufReader<TcpStream>> {
    TcpStream::connect(to).map(BufReader::new)
}

/// Says a line and hears one.
fn line(connection: &mut BufReader<TcpStream>) -> io::Result<String> {
    connection.get_mut().write_all(b"are you there?\n")?;
    let mut heard = String::new();
    connection.read_line(&mut heard)?;
    Ok(heard.trim_end().to_owned())
}

fn ask(to: &str) -> io::Result<String> {
    line(&mut connect(to)?)
}

fn again(kept: &mut [Kept]) -> io::Result<String> {
    let connection = kept.iter_mut().find_map(|kept| match kept {
        Kept::Connection(connection) => Some(connection),
        Kept::File(_) => None,
    });
    connection.map_or_else(nonsense, line)
}

/// Sends until nobody takes it any more.
fn send(to: &str) -> io::Result<String> {
    let mut connection = TcpStream::connect(to)?;
    loop {
        connection.write_all(&[0; 65_536])?;
    }
}

/// Opens a file as often as that goes.
fn open(path: &str, kept: &mut Vec<Kept>) -> io::Result<String> {
    for _ in 0..10_000 {
        kept.push(Kept::File(File::open(path)?));
    }
    Ok("opened".to_owned())
}
