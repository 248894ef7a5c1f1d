//! Any bytes are an image whose files can all be read, or an error.
#![no_main]

use libfuzzer_sys::fuzz_target;
use odeon_sourceauth::Image;

fuzz_target!(|bytes: &[u8]| {
    let Ok(image) = Image::open(bytes) else { return };
    for file in image.files() {
        assert!(image.read(file).is_ok(), "{file:?} was checked when the image was opened");
    }
    assert!(image.code().is_ok());
});
