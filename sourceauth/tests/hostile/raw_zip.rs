//! A zip writer that writes whatever it is told, lies included.

pub(crate) struct Entry {
    pub(crate) name: Vec<u8>,
    pub(crate) local_name: Option<Vec<u8>>,
    pub(crate) flags: u16,
    pub(crate) method: u16,
    pub(crate) crc: u32,
    pub(crate) data: Vec<u8>,
    pub(crate) packed: u32,
    pub(crate) unpacked: u32,
    pub(crate) local_unpacked: Option<u32>,
    pub(crate) attributes: u32,
    pub(crate) extra: Vec<u8>,
    /// Another entry's place instead of its own.
    pub(crate) start: Option<u32>,
}

impl Entry {
    pub(crate) fn stored(name: &str, data: &[u8]) -> Self {
        Self {
            name: name.as_bytes().to_vec(),
            local_name: None,
            flags: if name.is_ascii() { 0 } else { 1 << 11 },
            method: 0,
            crc: crc32(data),
            data: data.to_vec(),
            packed: data.len() as u32,
            unpacked: data.len() as u32,
            local_unpacked: None,
            attributes: 0o100_644 << 16,
            extra: Vec::new(),
            start: None,
        }
    }

    pub(crate) fn mode(mut self, mode: u32) -> Self {
        self.attributes = mode << 16;
        self
    }
}

/// The zip of these entries; `edit` changes the end record before it is appended.
pub(crate) fn zip_with_end(entries: &[Entry], edit: impl FnOnce(&mut Vec<u8>)) -> Vec<u8> {
    let (mut bytes, mut directory) = (Vec::new(), Vec::new());
    for entry in entries {
        let start = entry.start.unwrap_or(bytes.len() as u32);
        if entry.start.is_none() {
            let name = entry.local_name.as_ref().unwrap_or(&entry.name);
            bytes.extend(0x0403_4b50_u32.to_le_bytes());
            bytes.extend(common(entry, entry.local_unpacked.unwrap_or(entry.unpacked), name.len()));
            bytes.extend(name);
            bytes.extend(&entry.extra);
            bytes.extend(&entry.data);
        }
        directory.extend(0x0201_4b50_u32.to_le_bytes());
        directory.extend((3_u16 << 8 | 20).to_le_bytes());
        directory.extend(common(entry, entry.unpacked, entry.name.len()));
        directory.extend([0; 6]);
        directory.extend(entry.attributes.to_le_bytes());
        directory.extend(start.to_le_bytes());
        directory.extend(&entry.name);
        directory.extend(&entry.extra);
    }
    let mut end = 0x0605_4b50_u32.to_le_bytes().to_vec();
    end.extend([0; 4]);
    end.extend((entries.len() as u16).to_le_bytes());
    end.extend((entries.len() as u16).to_le_bytes());
    end.extend((directory.len() as u32).to_le_bytes());
    end.extend((bytes.len() as u32).to_le_bytes());
    end.extend([0; 2]);
    edit(&mut end);
    [bytes, directory, end].concat()
}

pub(crate) fn zip(entries: &[Entry]) -> Vec<u8> {
    zip_with_end(entries, |_| {})
}

/// From the version that is needed to the length of the extra fields.
fn common(entry: &Entry, unpacked: u32, name_bytes: usize) -> Vec<u8> {
    let mut out = 20_u16.to_le_bytes().to_vec();
    out.extend(entry.flags.to_le_bytes());
    out.extend(entry.method.to_le_bytes());
    out.extend([0, 0, 0x21, 0]);
    out.extend(entry.crc.to_le_bytes());
    out.extend(entry.packed.to_le_bytes());
    out.extend(unpacked.to_le_bytes());
    out.extend((name_bytes as u16).to_le_bytes());
    out.extend((entry.extra.len() as u16).to_le_bytes());
    out
}

pub(crate) fn crc32(data: &[u8]) -> u32 {
    !data.iter().fold(!0, |crc, byte| {
        (0..8).fold(crc ^ u32::from(*byte), |c, _| if c & 1 == 1 { c >> 1 ^ 0xedb8_8320 } else { c >> 1 })
    })
}
