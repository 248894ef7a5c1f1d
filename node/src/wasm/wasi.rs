//! The parts of WASI 0.2 that a language's library needs to start. No authority comes with them: an empty
//! environment, no files, no input; clocks and random numbers; what is written goes to the actor's log.

use super::guest::{Breach, Guest, Stream};
use super::limits::RANDOM_BYTES_MAX;
use std::sync::LazyLock;
use std::time::{Instant, SystemTime, UNIX_EPOCH};
use wasmtime::component::{ComponentType, Linker, LinkerInstance, Lower, Resource, ResourceType};
use wasmtime::{Result, StoreContextMut};

/// Serves components that import any 0.2 version.
const VERSION: &str = "0.2.6";

// The resource types of WASI that occur here. Only streams ever exist.
enum InputStream {}
enum OutputStream {}
enum StreamFault {}
enum Pollable {}
enum TerminalInput {}
enum TerminalOutput {}
enum Descriptor {}
enum DirectoryEntryStream {}

#[derive(ComponentType, Lower)]
#[component(variant)]
enum StreamError {
    #[component(name = "last-operation-failed")]
    #[allow(dead_code)] // The interface has it; writing to a log line does not fail.
    LastOperationFailed(Resource<StreamFault>),
    #[component(name = "closed")]
    Closed,
}

#[derive(ComponentType, Lower)]
#[component(record)]
struct Datetime {
    seconds: u64,
    nanoseconds: u32,
}

type Call<'a> = StoreContextMut<'a, Guest>;

/// Adds the interfaces to a linker.
pub(super) fn link(linker: &mut Linker<Guest>) -> Result<()> {
    resources(linker)?;
    streams(&mut interface(linker, "io/streams")?)?;
    poll(&mut interface(linker, "io/poll")?)?;
    process(linker)?;
    terminals(linker)?;
    clocks(linker)?;
    random(linker)?;
    interface(linker, "filesystem/preopens")?
        .func_wrap("get-directories", |_: Call<'_>, ()| Ok((Vec::<(Resource<Descriptor>, String)>::new(),)))
}

fn interface<'a>(linker: &'a mut Linker<Guest>, name: &str) -> Result<LinkerInstance<'a, Guest>> {
    linker.instance(&format!("wasi:{name}@{VERSION}"))
}

/// The resource types, in the interfaces that define them and in those that use them.
fn resources(linker: &mut Linker<Guest>) -> Result<()> {
    fn in_each<T: 'static>(linker: &mut Linker<Guest>, name: &str, interfaces: &[&str]) -> Result<()> {
        interfaces
            .iter()
            .try_for_each(|i| interface(linker, i)?.resource(name, ResourceType::host::<T>(), |_, _| Ok(())))
    }
    in_each::<StreamFault>(linker, "error", &["io/error", "io/streams", "filesystem/types"])?;
    in_each::<Pollable>(linker, "pollable", &["io/poll", "io/streams", "clocks/monotonic-clock"])?;
    in_each::<InputStream>(linker, "input-stream", &["io/streams", "cli/stdin", "filesystem/types"])?;
    let outputs = ["io/streams", "cli/stdout", "cli/stderr", "filesystem/types"];
    in_each::<OutputStream>(linker, "output-stream", &outputs)?;
    in_each::<TerminalInput>(linker, "terminal-input", &["cli/terminal-input", "cli/terminal-stdin"])?;
    let terminals = ["cli/terminal-output", "cli/terminal-stdout", "cli/terminal-stderr"];
    in_each::<TerminalOutput>(linker, "terminal-output", &terminals)?;
    in_each::<Descriptor>(linker, "descriptor", &["filesystem/types", "filesystem/preopens"])?;
    in_each::<DirectoryEntryStream>(linker, "directory-entry-stream", &["filesystem/types"])
}

/// The environment, the arguments, the streams, and the end of a program, which an actor is not.
fn process(linker: &mut Linker<Guest>) -> Result<()> {
    let mut environment = interface(linker, "cli/environment")?;
    environment.func_wrap("get-environment", |_: Call<'_>, ()| Ok((Vec::<(String, String)>::new(),)))?;
    environment.func_wrap("get-arguments", |_: Call<'_>, ()| Ok((Vec::<String>::new(),)))?;
    environment.func_wrap("initial-cwd", |_: Call<'_>, ()| Ok((None::<String>,)))?;
    interface(linker, "cli/exit")?.func_wrap("exit", |_: Call<'_>, (_,): (Result<(), ()>,)| {
        Err::<(), _>(Breach("ended its process, expected `exit` of its context".into()).into())
    })?;
    interface(linker, "cli/stdin")?
        .func_wrap("get-stdin", |_: Call<'_>, ()| Ok((Resource::<InputStream>::new_own(0),)))?;
    for (name, function, stream) in
        [("cli/stdout", "get-stdout", Stream::Output), ("cli/stderr", "get-stderr", Stream::Error)]
    {
        interface(linker, name)?
            .func_wrap(function, move |_: Call<'_>, ()| Ok((Resource::<OutputStream>::new_own(stream as u32),)))?;
    }
    Ok(())
}

/// No stream is a terminal.
fn terminals(linker: &mut Linker<Guest>) -> Result<()> {
    interface(linker, "cli/terminal-stdin")?
        .func_wrap("get-terminal-stdin", |_: Call<'_>, ()| Ok((None::<Resource<TerminalInput>>,)))?;
    for stream in ["stdout", "stderr"] {
        interface(linker, &format!("cli/terminal-{stream}"))?
            .func_wrap(&format!("get-terminal-{stream}"), |_: Call<'_>, ()| Ok((None::<Resource<TerminalOutput>>,)))?;
    }
    Ok(())
}

/// Reading finds the end at once. Writing is at once too, within the bounds of what a message may hand to the node.
fn streams(streams: &mut LinkerInstance<'_, Guest>) -> Result<()> {
    const WRITABLE_BYTES: u64 = 64 << 10;
    type Written = (Result<(), StreamError>,);

    fn write(mut call: Call<'_>, (to, bytes): (Resource<OutputStream>, Vec<u8>)) -> Result<Written> {
        let stream = match to.rep() {
            r if r == Stream::Output as u32 => Stream::Output,
            r if r == Stream::Error as u32 => Stream::Error,
            _ => return Ok((Err(StreamError::Closed),)),
        };
        call.data_mut().print(stream, &bytes)?;
        Ok((Ok(()),))
    }
    fn flush(_: Call<'_>, _: (Resource<OutputStream>,)) -> Result<Written> {
        Ok((Ok(()),))
    }

    for read in ["[method]input-stream.read", "[method]input-stream.blocking-read"] {
        streams.func_wrap(read, |_: Call<'_>, _: (Resource<InputStream>, u64)| {
            Ok((Err::<Vec<u8>, _>(StreamError::Closed),))
        })?;
    }
    streams.func_wrap("[method]output-stream.check-write", |_: Call<'_>, _: (Resource<OutputStream>,)| {
        Ok((Ok::<u64, StreamError>(WRITABLE_BYTES),))
    })?;
    streams.func_wrap("[method]output-stream.subscribe", |_: Call<'_>, _: (Resource<OutputStream>,)| {
        Ok((Resource::<Pollable>::new_own(0),))
    })?;
    streams.func_wrap("[method]output-stream.write", write)?;
    streams.func_wrap("[method]output-stream.blocking-write-and-flush", write)?;
    streams.func_wrap("[method]output-stream.flush", flush)?;
    streams.func_wrap("[method]output-stream.blocking-flush", flush)
}

/// What can be waited for, which is only that a stream takes more, is there already.
fn poll(poll: &mut LinkerInstance<'_, Guest>) -> Result<()> {
    poll.func_wrap("[method]pollable.ready", |_: Call<'_>, _: (Resource<Pollable>,)| Ok((true,)))?;
    poll.func_wrap("[method]pollable.block", |_: Call<'_>, _: (Resource<Pollable>,)| Ok(()))?;
    poll.func_wrap("poll", |_: Call<'_>, (all,): (Vec<Resource<Pollable>>,)| {
        Ok(((0..all.len() as u32).collect::<Vec<u32>>(),))
    })
}

/// Clocks can be read. Sleeping is not there: an actor asks for a wakeup.
fn clocks(linker: &mut Linker<Guest>) -> Result<()> {
    static START: LazyLock<Instant> = LazyLock::new(Instant::now);
    let mut monotonic = interface(linker, "clocks/monotonic-clock")?;
    monotonic.func_wrap("now", |_: Call<'_>, ()| Ok((START.elapsed().as_nanos() as u64,)))?;
    monotonic.func_wrap("resolution", |_: Call<'_>, ()| Ok((1_u64,)))?;
    let mut wall = interface(linker, "clocks/wall-clock")?;
    wall.func_wrap("now", |_: Call<'_>, ()| {
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        Ok((Datetime { seconds: now.as_secs(), nanoseconds: now.subsec_nanos() },))
    })?;
    wall.func_wrap("resolution", |_: Call<'_>, ()| Ok((Datetime { seconds: 0, nanoseconds: 1 },)))
}

/// Random numbers, all from the kernel's generator.
fn random(linker: &mut Linker<Guest>) -> Result<()> {
    fn bytes(_: Call<'_>, (length,): (u64,)) -> Result<(Vec<u8>,)> {
        if length > RANDOM_BYTES_MAX {
            return Err(Breach(format!("asked for {length} random bytes, more than {RANDOM_BYTES_MAX}")).into());
        }
        let mut bytes = vec![0; length as usize];
        fill(&mut bytes)?;
        Ok((bytes,))
    }
    fn number(_: Call<'_>, (): ()) -> Result<(u64,)> {
        let mut bytes = [0; 8];
        fill(&mut bytes)?;
        Ok((u64::from_ne_bytes(bytes),))
    }

    let mut random = interface(linker, "random/random")?;
    random.func_wrap("get-random-bytes", bytes)?;
    random.func_wrap("get-random-u64", number)?;
    let mut insecure = interface(linker, "random/insecure")?;
    insecure.func_wrap("get-insecure-random-bytes", bytes)?;
    insecure.func_wrap("get-insecure-random-u64", number)?;
    interface(linker, "random/insecure-seed")?.func_wrap("insecure-seed", |_: Call<'_>, ()| {
        let mut seeds = [[0; 8]; 2];
        fill(seeds.as_flattened_mut())?;
        Ok((seeds.map(u64::from_ne_bytes).into(),)) as Result<((u64, u64),)>
    })
}

fn fill(bytes: &mut [u8]) -> Result<()> {
    getrandom::fill(bytes).map_err(|e| Breach(format!("there are no random numbers: {e}")).into())
}
