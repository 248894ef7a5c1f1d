//! Somebody on loopback whom an actor may connect to.

use std::io::{BufRead, BufReader, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

/// Takes connections until the test ends.
pub(crate) struct Peer {
    address: SocketAddr,
    connections: Arc<AtomicUsize>,
}

impl Peer {
    /// Answers each line with what it heard.
    pub(crate) fn that_answers() -> Self {
        Self::start(|connection| {
            let mut answers = connection.try_clone().unwrap();
            for line in BufReader::new(connection).lines().map_while(Result::ok) {
                if writeln!(answers, "heard {line}").is_err() {
                    return;
                }
            }
        })
    }

    /// Never says anything, nor hears what it is told.
    pub(crate) fn that_is_silent() -> Self {
        Self::start(|connection| {
            let _connection = connection;
            thread::park();
        })
    }

    fn start(serve: fn(TcpStream)) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let (address, connections) = (listener.local_addr().unwrap(), Arc::<AtomicUsize>::default());
        let counted = connections.clone();
        thread::spawn(move || {
            for connection in listener.incoming().map_while(Result::ok) {
                counted.fetch_add(1, Ordering::SeqCst);
                thread::spawn(move || serve(connection));
            }
        });
        Self { address, connections }
    }

    pub(crate) fn address(&self) -> String {
        self.address.to_string()
    }

    pub(crate) fn port(&self) -> u16 {
        self.address.port()
    }

    /// How many it took.
    pub(crate) fn connections(&self) -> usize {
        self.connections.load(Ordering::SeqCst)
    }
}
