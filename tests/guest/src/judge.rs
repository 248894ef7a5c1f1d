//! An actor that decides on images, well or badly. The tests' own nodes link the same source in.

use odeon::{
    Context, Failure, ReadSource, SourceBytes, SourceVerdict, ValidateSource, ValidatedSource, Value, WakeupMessage,
    actor,
};
use std::time::Duration;

/// Registers when it is told `true`, does with images what it is told to, and says what it was asked.
#[derive(Default)]
pub struct Judge {
    does: String,
    asked: Vec<String>,
}

#[actor]
impl Judge {
    #[handler]
    fn register(&mut self, _: &bool, cx: &mut Context) {
        cx.register_source_authority();
    }

    /// `asked` asks; everything else is what it does from now on.
    #[handler]
    fn told(&mut self, what: &String, cx: &mut Context) {
        match what.as_str() {
            "asked" => cx.reply(Value::List(self.asked.iter().map(|asked| Value::from(asked.as_str())).collect())),
            "register for ever" => {
                self.does = what.clone();
                cx.wakeup_after(Duration::ZERO);
                cx.reply(what.clone());
            }
            does => {
                self.does = does.to_owned();
                cx.reply(does.to_owned());
            }
        }
    }

    #[handler]
    fn again(&mut self, _: &WakeupMessage, cx: &mut Context) {
        if self.does == "register for ever" {
            for _ in 0..1_000 {
                cx.register_source_authority();
            }
            cx.wakeup_after(Duration::from_millis(1));
        }
    }

    #[handler]
    fn validate(&mut self, image: &ValidateSource, cx: &mut Context) -> Result<(), Failure> {
        let ValidateSource { hash, size_bytes, name, signatures, .. } = image;
        let name = name.as_deref().unwrap_or("unknown");
        self.asked.push(format!("{name} of {size_bytes} bytes with {} signatures", signatures.len()));
        let approved = || ValidatedSource::approved(hash);
        let read = || ReadSource { hash: hash.clone(), offset: 0, bytes_max: u64::MAX };
        let piece = |offset, size| SourceBytes { hash: hash.clone(), offset, bytes: vec![0; size] };
        match self.does.as_str() {
            "approve" => cx.reply(approved()),
            "reject" => cx.reply(ValidatedSource::rejected(hash, format!("{name} is not wanted\u{1b}[31m"))),
            "reject at length" => cx.reply(ValidatedSource::rejected(hash, "ä".repeat(1 << 20))),
            "answer for another" => {
                for other in ["", "ab", &"0".repeat(64)] {
                    cx.reply(ValidatedSource::approved(other));
                }
                cx.reply(ValidatedSource::rejected(hash, "the last word is on this image"));
            }
            "answer twice" => {
                cx.reply(approved());
                cx.reply(ValidatedSource::rejected(hash, "it thought again"));
            }
            "have others answer" => {
                // Whatever a child says there is not said by the authority.
                let child = cx.create_actor::<Accomplice>().start();
                cx.send(child, ValidateSource { name: Some(cx.sender().to_string()), ..image.clone() });
            }
            "read" | "read for ever" | "flood" => cx.reply(read()),
            "hand over nothing" => cx.reply(ValidatedSource::approved_as(hash, 0)),
            "hand over no image" => {
                cx.reply(piece(0, 1000));
                cx.reply(ValidatedSource::approved_as(hash, 1000));
            }
            "hand over too much" => (0..257).for_each(|n| cx.reply(piece(n << 18, 1 << 18))),
            "leave a gap" => cx.reply(piece(1, 1)),
            "say too much" => (0..5_000).for_each(|_| cx.reply(Value::Null)),
            "fail" => return Err(Failure::new("told to fail")),
            "exit" => cx.exit(),
            _ => {}
        }
        Ok(())
    }

    #[handler]
    fn read(&mut self, piece: &SourceBytes, cx: &mut Context) {
        let SourceBytes { hash, offset, bytes } = piece;
        let read = |offset| ReadSource { hash: hash.clone(), offset, bytes_max: u64::MAX };
        match self.does.as_str() {
            "read for ever" => cx.reply(read(0)),
            "flood" => (0..100).for_each(|_| cx.reply(read(0))),
            _ if bytes.is_empty() => {
                self.asked.push(format!("read {offset} bytes"));
                cx.reply(ValidatedSource { hash: hash.clone(), verdict: SourceVerdict::Approved });
            }
            _ => cx.reply(read(offset + bytes.len() as u64)),
        }
    }
}

/// Says that an image is approved, to whom nobody asked it to.
#[derive(Default)]
pub struct Accomplice;

#[actor]
impl Accomplice {
    #[handler]
    fn validate(&mut self, image: &ValidateSource, cx: &mut Context) {
        if let Some(to) = image.name.as_deref().and_then(|to| to.parse().ok()) {
            cx.send(to, ValidatedSource::approved(&image.hash));
        }
    }
}
