//! The image store on a real disk: flipped bytes, crashes, full disks.
#![allow(clippy::unwrap_used)] // a step that fails is the failure of the test

use odeon_node::store::{INCOMING_MAX, Store, StoreError, Stored};
use odeon_sourceauth::limits::IMAGE_BYTES_MAX;
use odeon_sourceauth::{Authority, SourceHash, Verified, hash};
use std::fs;
use std::path::{Path, PathBuf};
use tempfile::TempDir;

/// An image whose code is these bytes.
fn image(code: &[u8]) -> Verified {
    let folder = tempfile::tempdir().unwrap();
    let manifest = "name = \"hello\"\nruntime = \"wasm\"\ncode = \"c\"\n[[actor]]\nname = \"Hello\"\n";
    fs::write(folder.path().join("odeon.toml"), manifest).unwrap();
    fs::write(folder.path().join("c"), code).unwrap();
    let image = odeon_deploy::assemble(folder.path()).unwrap();
    Authority::AcceptAll.judge(image, &[], 0).unwrap()
}

fn store() -> (TempDir, Store) {
    let folder = tempfile::tempdir().unwrap();
    let store = Store::open(folder.path().join("images")).unwrap();
    (folder, store)
}

fn file_of(folder: &TempDir, hash: SourceHash) -> PathBuf {
    folder.path().join("images").join(format!("{hash}.zip"))
}

fn names(folder: &Path) -> Vec<String> {
    let mut names: Vec<_> =
        fs::read_dir(folder).unwrap().map(|e| e.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    names
}

/// Bytes that deflate cannot make smaller.
fn noise(bytes: usize) -> Vec<u8> {
    let mut state = 0x2545_f491_4f6c_dd1d_u64;
    let mut next = || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state as u8
    };
    (0..bytes).map(|_| next()).collect()
}

#[test]
fn what_is_put_is_read_back_listed_and_removed() {
    let (folder, store) = store();
    let (one, two) = (image(b"one"), image(b"two"));
    store.put(&one).unwrap();
    store.put(&two).unwrap();
    store.put(&two).unwrap();
    let read = store.read(one.hash()).unwrap();
    assert_eq!(read.image().code().unwrap(), b"one");
    assert_eq!(read.hash(), one.hash());
    let mut expected = [&one, &two].map(|i| Stored { hash: i.hash(), size_bytes: i.image().bytes().len() as u64 });
    expected.sort();
    fs::write(folder.path().join("images/README.zip"), "not ours").unwrap();
    assert_eq!(store.list().unwrap(), expected);
    assert!(store.remove(one.hash()).unwrap());
    assert!(!store.remove(one.hash()).unwrap());
    assert!(!store.contains(one.hash()));
    assert!(matches!(store.read(one.hash()), Err(StoreError::Unknown { hash }) if hash == one.hash()));
}

#[test]
fn another_process_finds_what_was_stored() {
    let (folder, store) = store();
    let image = image(b"code");
    store.put(&image).unwrap();
    drop(store);
    let store = Store::open(folder.path().join("images")).unwrap();
    assert_eq!(store.read(image.hash()).unwrap().image(), image.image());
}

#[test]
fn an_image_that_comes_in_pieces_is_invisible_until_it_is_whole() {
    let (_folder, store) = store();
    let image = image(&noise(5000));
    let bytes = image.image().bytes();
    let mut incoming = store.begin(image.hash(), bytes.len() as u64).unwrap();
    for chunk in bytes.chunks(999) {
        assert!(!store.contains(image.hash()));
        assert!(store.list().unwrap().is_empty());
        incoming.write(chunk).unwrap();
    }
    assert_eq!(incoming.received_bytes(), bytes.len() as u64);
    incoming.finish().unwrap();
    assert_eq!(store.read(image.hash()).unwrap().image(), image.image());
}

#[test]
fn wrong_bytes_too_few_and_too_many_leave_nothing_behind() {
    let (folder, store) = store();
    let image = image(b"code");
    let bytes = image.image().bytes();
    let (expected, size) = (image.hash(), bytes.len() as u64);

    let mut flipped = bytes.to_vec();
    flipped[33] ^= 1;
    let mut incoming = store.begin(expected, size).unwrap();
    incoming.write(&flipped).unwrap();
    let error = incoming.finish().unwrap_err();
    assert!(
        matches!(error, StoreError::HashMismatch { expected: e, found } if e == expected && found == hash(&flipped))
    );

    let mut incoming = store.begin(expected, size).unwrap();
    incoming.write(&bytes[1..]).unwrap();
    assert!(matches!(incoming.finish(), Err(StoreError::Size { received, .. }) if received == size - 1));

    let mut incoming = store.begin(expected, size).unwrap();
    incoming.write(bytes).unwrap();
    assert!(matches!(incoming.write(b"x"), Err(StoreError::Size { received, .. }) if received == size + 1));
    assert!(matches!(incoming.finish(), Err(StoreError::Broken { .. })));

    let mut incoming = store.begin(expected, size).unwrap();
    incoming.write(&bytes[..10]).unwrap();
    drop(incoming);

    assert!(names(&folder.path().join("images")).is_empty());
}

#[test]
fn sizes_and_counts_beyond_the_limits_are_refused() {
    let (_folder, store) = store();
    let hash = hash(b"x");
    assert!(matches!(store.begin(hash, IMAGE_BYTES_MAX as u64 + 1), Err(StoreError::TooLarge { .. })));
    let mut incoming: Vec<_> = (0..INCOMING_MAX).map(|_| store.begin(hash, 1).unwrap()).collect();
    assert!(matches!(store.clone().begin(hash, 1), Err(StoreError::TooManyIncoming)));
    incoming.pop();
    assert!(store.begin(hash, 1).is_ok());
}

#[test]
fn a_flipped_byte_on_disk_is_noticed_moved_aside_and_can_be_fetched_again() {
    let (folder, store) = store();
    let image = image(b"code");
    let size = image.image().bytes().len();
    for at in [0, size / 2, size - 1] {
        store.put(&image).unwrap();
        let path = file_of(&folder, image.hash());
        let mut bytes = fs::read(&path).unwrap();
        bytes[at] ^= 0x10;
        fs::write(&path, &bytes).unwrap();
        match store.read(image.hash()) {
            Err(StoreError::Corrupt { hash: named, found, moved_to }) => {
                assert_eq!((named, found), (image.hash(), hash(&bytes)));
                assert_eq!(fs::read(moved_to).unwrap(), bytes);
            }
            other => panic!("byte {at}: {other:?}"),
        }
        assert!(!store.contains(image.hash()));
        assert!(matches!(store.read(image.hash()), Err(StoreError::Unknown { .. })));
    }
    store.put(&image).unwrap();
    assert!(store.read(image.hash()).is_ok());
}

#[test]
fn a_file_that_was_cut_emptied_or_grew_is_noticed() {
    let (folder, store) = store();
    let image = image(b"code");
    let path = file_of(&folder, image.hash());
    for size in [0, 10, IMAGE_BYTES_MAX as u64 * 2] {
        store.put(&image).unwrap();
        fs::File::options().write(true).open(&path).unwrap().set_len(size).unwrap();
        assert!(matches!(store.read(image.hash()), Err(StoreError::Corrupt { .. })), "{size}");
    }
}

#[test]
fn only_a_few_corrupt_files_are_kept() {
    let (folder, store) = store();
    for i in 0..12_u8 {
        let image = image(&[i]);
        store.put(&image).unwrap();
        fs::write(file_of(&folder, image.hash()), "flipped").unwrap();
        assert!(matches!(store.read(image.hash()), Err(StoreError::Corrupt { .. })));
        assert!(fs::exists(folder.path().join("images/corrupt").join(image.hash().to_string())).unwrap());
    }
    assert_eq!(names(&folder.path().join("images/corrupt")).len(), 8);
    assert!(store.list().unwrap().is_empty());
}

#[test]
fn bytes_with_the_right_hash_that_are_no_image_are_named() {
    let (_folder, store) = store();
    let bytes = b"no zip";
    let mut incoming = store.begin(hash(bytes), bytes.len() as u64).unwrap();
    incoming.write(bytes).unwrap();
    incoming.finish().unwrap();
    assert!(matches!(store.read(hash(bytes)), Err(StoreError::NotAnImage { .. })));
}

#[test]
fn what_a_crash_left_half_written_is_removed_at_the_next_start_and_nothing_else() {
    let (folder, store) = store();
    let image = image(b"code");
    store.put(&image).unwrap();
    let mut incoming = store.begin(hash(b"later"), 1000).unwrap();
    incoming.write(b"half of").unwrap();
    // A killed process runs no destructor.
    std::mem::forget(incoming);
    let images = folder.path().join("images");
    fs::write(images.join("notes.txt"), "the operator's").unwrap();
    assert_eq!(names(&images).len(), 3);
    let store = Store::open(&images).unwrap();
    assert_eq!(names(&images), [format!("{}.zip", image.hash()), "notes.txt".to_owned()]);
    assert!(store.read(image.hash()).is_ok());
}

#[test]
fn a_folder_that_cannot_be_used_is_named() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("file");
    fs::write(&file, "").unwrap();
    for path in [file.clone(), file.join("images")] {
        let error = Store::open(&path).unwrap_err();
        assert!(matches!(&error, StoreError::Write { path: named, .. } if *named == path), "{error}");
    }
    let (folder, store) = store();
    let image = image(b"code");
    fs::remove_dir_all(folder.path().join("images")).unwrap();
    assert!(matches!(store.put(&image), Err(StoreError::Write { .. })));
    assert!(matches!(store.list(), Err(StoreError::Read { .. })));
}

/// A limit on the size of files, set in a process of its own, stands for a disk without room: it needs no rights.
#[cfg(unix)]
#[test]
fn a_full_disk_is_named_and_leaves_nothing_half_written() {
    const FOLDER: &str = "ODEON_TEST_FULL_DISK_FOLDER";
    if let Some(images) = std::env::var_os(FOLDER) {
        let store = Store::open(&images).unwrap();
        let (small, large) = (image(b"small"), noisy_image());
        store.put(&small).unwrap();
        let error = store.put(&large).unwrap_err();
        assert!(matches!(error, StoreError::DiskFull { .. }), "{error:?}");
        assert!(!store.contains(large.hash()));
        assert_eq!(names(Path::new(&images)), [format!("{}.zip", small.hash())]);
        assert!(store.read(small.hash()).is_ok());
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let images = folder.path().join("images");
    // 64 blocks of 512 bytes. The signal that comes with the error would end the process.
    let output = std::process::Command::new("sh")
        .args(["-c", "trap '' XFSZ; ulimit -f 64; exec \"$@\"", "sh"])
        .arg(std::env::current_exe().unwrap())
        .args(["--exact", "a_full_disk_is_named_and_leaves_nothing_half_written", "--nocapture"])
        .env(FOLDER, &images)
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success() && said.contains("1 passed"), "{said}");
    // With room again it goes through.
    Store::open(&images).unwrap().put(&noisy_image()).unwrap();
    assert_eq!(names(&images).len(), 2);
}

/// Larger than the limit of the test above, packed from a file within it.
#[cfg(unix)]
fn noisy_image() -> Verified {
    let folder = tempfile::tempdir().unwrap();
    let manifest =
        "name = \"hello\"\nruntime = \"wasm\"\ncode = \"c\"\ninclude = [\"data\"]\n[[actor]]\nname = \"Hello\"\n";
    fs::write(folder.path().join("odeon.toml"), manifest).unwrap();
    fs::write(folder.path().join("c"), "code").unwrap();
    fs::create_dir(folder.path().join("data")).unwrap();
    for i in 0..8 {
        fs::write(folder.path().join(format!("data/{i}")), noise(10_000)).unwrap();
    }
    Authority::AcceptAll.judge(odeon_deploy::assemble(folder.path()).unwrap(), &[], 0).unwrap()
}
