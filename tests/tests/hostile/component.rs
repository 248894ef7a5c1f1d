//! The component of the example with other code in it.

use odeon_sourceauth::Image;

const DESCRIBE: &str = "odeon:actor/actors@0.1.0#describe";
const EXPORTS: u8 = 7;
const CODE: u8 = 10;
const IMPORTS: u8 = 2;
const MODULE: u8 = 1;
/// What a component, and a module in it, begins with.
const PREAMBLE: usize = 8;

/// Instructions that trap.
pub(crate) const TRAP: &[u8] = &[0x00];
/// Instructions that never end.
pub(crate) const LOOP: &[u8] = &[0x03, 0x40, 0x0c, 0x00, 0x0b, 0x00];
/// Instructions that ask for 64 MiB more, and trap.
pub(crate) const ALLOCATE: &[u8] = &[0x41, 0x80, 0x08, 0x40, 0x00, 0x1a, 0x00];

/// The component of the example.
pub(crate) fn hello() -> Vec<u8> {
    Image::open(std::fs::read(odeon_tests::cluster::hello()).unwrap()).unwrap().code().unwrap()
}

/// The component of the tests' actors, which imports more, with an import that has another name.
pub(crate) fn importing(name: &str, instead_of: &str) -> Vec<u8> {
    assert_eq!(name.len(), instead_of.len());
    let guest = std::fs::read(concat!(env!("CARGO_MANIFEST_DIR"), "/guest/guest.zip")).unwrap();
    let mut bytes = Image::open(guest).unwrap().code().unwrap();
    let places: Vec<_> = (0..bytes.len()).filter(|at| bytes[*at..].starts_with(instead_of.as_bytes())).collect();
    assert!(!places.is_empty(), "{instead_of} is imported");
    for at in places {
        bytes[at..at + name.len()].copy_from_slice(name.as_bytes());
    }
    bytes
}

/// The component of the example that does this when it is to say which actors it has.
pub(crate) fn describing(code: &[u8]) -> Vec<u8> {
    let mut bytes = hello();
    let module = section(&bytes, PREAMBLE, MODULE) + PREAMBLE;
    let function = exported(&bytes, section(&bytes, module, EXPORTS), DESCRIBE);
    let imported = functions(&bytes, section(&bytes, module, IMPORTS));
    let mut at = section(&bytes, module, CODE);
    let count = number(&bytes, &mut at);
    assert!((imported..imported + count).contains(&function));
    let mut length = number(&bytes, &mut at);
    for _ in imported..function {
        at += length;
        length = number(&bytes, &mut at);
    }
    // No locals, the code, and `nop` up to the end: after a trap anything goes.
    let body = &mut bytes[at..at + length];
    body.fill(0x01);
    body[0] = 0;
    body[1..=code.len()].copy_from_slice(code);
    body[length - 1] = 0x0b;
    bytes
}

/// Where the contents of the first section of a kind begin.
fn section(bytes: &[u8], mut at: usize, kind: u8) -> usize {
    loop {
        let found = bytes[at];
        at += 1;
        let length = number(bytes, &mut at);
        if found == kind {
            return at;
        }
        at += length;
    }
}

/// A number of the kind that has seven bits in each byte.
fn number(bytes: &[u8], at: &mut usize) -> usize {
    let (mut value, mut shift) = (0, 0);
    loop {
        let byte = bytes[*at];
        *at += 1;
        value |= usize::from(byte & 0x7f) << shift;
        shift += 7;
        if byte < 0x80 {
            return value;
        }
    }
}

/// The number of a function that a module exports.
fn exported(bytes: &[u8], mut at: usize, name: &str) -> usize {
    for _ in 0..number(bytes, &mut at) {
        let length = number(bytes, &mut at);
        let found = &bytes[at..at + length];
        at += length + 1;
        let item = number(bytes, &mut at);
        if found == name.as_bytes() {
            return item;
        }
    }
    panic!("{name} is not exported")
}

/// How many functions a module imports, when it imports nothing else.
fn functions(bytes: &[u8], mut at: usize) -> usize {
    let count = number(bytes, &mut at);
    for _ in 0..count {
        for _ in ["module", "name"] {
            let length = number(bytes, &mut at);
            at += length;
        }
        assert_eq!(bytes[at], 0, "a function");
        at += 1;
        number(bytes, &mut at);
    }
    count
}
