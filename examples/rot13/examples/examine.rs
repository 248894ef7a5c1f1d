//! Asks the authority of this example as a leader does, without a leader: `cargo run --example examine -- simple|threads|simulated`.

use odeon::system::{ActorSystem, Base};
use odeon::{ReadSource, SourceBytes, ValidateSource, ValidatedSource};
use odeon_example_rot13::Rot13;
use std::error::Error;
use std::time::Duration;

const PATIENCE: Duration = Duration::from_secs(5);

fn main() -> Result<(), Box<dyn Error>> {
    let base: Base = std::env::args().nth(1).as_deref().unwrap_or("simple").parse()?;
    let system = ActorSystem::new(base);
    let rot13 = system.create_actor::<Rot13>()?;

    let pushed = b"Uryyb, jbeyq!";
    let (hash, size_bytes, answer_ms) = ("its hash".to_owned(), pushed.len() as u64, 5_000);
    let (name, version, signatures) = (None, None, Vec::new());
    system.tell(rot13, ValidateSource { hash, size_bytes, name, version, signatures, answer_ms });
    while let Some(said) = system.listen(PATIENCE) {
        if let Some(ReadSource { hash, offset, .. }) = said.message.get() {
            println!("reads from {offset}");
            let from = usize::try_from(*offset)?.min(pushed.len());
            system.tell(rot13, SourceBytes { hash: hash.clone(), offset: *offset, bytes: pushed[from..].to_vec() });
        } else if let Some(SourceBytes { bytes, .. }) = said.message.get() {
            println!("hands over {}", String::from_utf8_lossy(bytes));
        } else if let Some(ValidatedSource { verdict, .. }) = said.message.get() {
            println!("says {verdict:?}");
            break;
        }
    }

    system.shutdown();
    Ok(())
}
