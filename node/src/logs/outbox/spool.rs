//! The spool: segments in the order of their lines, bounded as a whole by dropping the oldest.

use super::OutboxLimits;
use super::segment::{HEAD_BYTES, Segment, frame, unframe};
use crate::admin::protocol::{LogGap, LogLine};
use crate::logs::batch::Batch;
use crate::logs::limits::LINE_BYTES_MAX;
use crate::logs::{LOCAL_TARGET, Origin};
use serde::{Deserialize, Serialize};
use std::collections::VecDeque;
use std::io;
use std::path::{Path, PathBuf};

/// Segments of a full spool: the share of it that is dropped at once is one of these.
const SEGMENTS: u64 = 16;
/// Segments at most, however small: a node that is started again and again leaves many.
const SEGMENTS_MAX: usize = 64;
/// Gaps of dropped segments that are remembered; later ones are joined to the last.
const GAPS_MAX: usize = 64;

/// What a segment holds.
#[derive(Debug, Serialize, Deserialize)]
pub(super) enum Entry {
    Line(LogLine),
    Gap(LogGap),
}

impl Entry {
    fn range(&self) -> (u64, u64) {
        match self {
            Entry::Line(line) => (line.seq, line.seq),
            Entry::Gap(gap) => (gap.from, gap.to),
        }
    }
}

pub(super) struct Spool {
    folder: PathBuf,
    name: String,
    limits: OutboxLimits,
    segments: VecDeque<Segment>,
    /// What was dropped before the first segment, with its incarnation.
    dropped: VecDeque<(u32, LogGap)>,
    next_file: u64,
    /// Whether the disk's refusal has been said; said again once it has taken a line in between.
    disk_failed: bool,
}

impl Spool {
    pub(super) fn open(folder: &Path, origin: &Origin, limits: OutboxLimits) -> io::Result<Self> {
        std::fs::create_dir_all(folder)?;
        let mut files = Vec::new();
        for entry in std::fs::read_dir(folder)? {
            let entry = entry?;
            files.extend(parse_name(&entry.file_name().to_string_lossy()).map(|key| (key, entry.path())));
        }
        files.sort();
        let mut spool = Self {
            folder: folder.to_owned(),
            name: origin.name.clone(),
            limits,
            segments: VecDeque::new(),
            dropped: VecDeque::new(),
            next_file: files.last().map_or(1, |((file, _), _)| file + 1),
            disk_failed: false,
        };
        for ((_, incarnation), path) in files {
            spool.load(&path, incarnation)?;
        }
        spool.shrink();
        Ok(spool)
    }

    /// Takes over a segment of an earlier start: up to the first entry that is not whole.
    fn load(&mut self, path: &Path, incarnation: u32) -> io::Result<()> {
        let mut segment = Segment::open(path, incarnation)?;
        let mut at = 0;
        while let Some((entry, next)) = self.read_entry(&segment, at) {
            segment.last_seq = segment.last_seq.max(entry.range().1);
            at = next;
        }
        if at < segment.end {
            tracing::warn!(target: LOCAL_TARGET, path = %path.display(), from = at, to = segment.end, "cutting bytes off the log spool that are no whole entry");
            segment.cut(at)?;
        }
        if segment.end == 0 {
            return segment.remove();
        }
        self.segments.push_back(segment);
        Ok(())
    }

    /// The highest number that is known of `incarnation`.
    pub(super) fn last_seq(&self, incarnation: u32) -> u64 {
        self.segments.iter().filter(|s| s.incarnation == incarnation).map(|s| s.last_seq).max().unwrap_or(0)
    }

    pub(super) fn waiting_bytes(&self) -> u64 {
        self.segments.iter().map(|s| s.end - s.start).sum()
    }

    /// Adds an entry; drops the oldest segments when the spool is full.
    pub(super) fn write(&mut self, incarnation: u32, entry: &Entry) {
        let (from, to) = entry.range();
        let body = match rmp_serde::to_vec(entry) {
            Ok(body) if body.len() <= LINE_BYTES_MAX => body,
            // Cannot come from a bounded line; the number must not go missing in any case.
            _ => {
                let gap = LogGap { node: self.name.clone(), from, to, reason: "not encodable".into() };
                rmp_serde::to_vec(&Entry::Gap(gap)).unwrap_or_default()
            }
        };
        let bytes = frame(&body);
        if !self.append_to_file(incarnation, &bytes, to) {
            self.append_to_memory(incarnation, &bytes, to);
        }
        self.shrink();
    }

    fn append_to_file(&mut self, incarnation: u32, bytes: &[u8], to: u64) -> bool {
        let segment_bytes_max = self.limits.spool_bytes_max / SEGMENTS;
        let fits = self.segments.back().is_some_and(|s| {
            s.incarnation == incarnation && !s.is_memory() && s.end + bytes.len() as u64 <= segment_bytes_max
        });
        let mut written = || -> io::Result<()> {
            if !fits {
                forget_empty(&mut self.segments);
                let path = self.folder.join(format!("spool-{:020}-{incarnation:010}.log", self.next_file));
                self.next_file += 1;
                self.segments.push_back(Segment::create(&path, incarnation)?);
            }
            if let Some(segment) = self.segments.back_mut() {
                segment.append(bytes)?;
                segment.last_seq = to;
            }
            Ok(())
        };
        match written() {
            Ok(()) => {
                self.disk_failed = false;
                true
            }
            Err(e) => {
                if self.segments.back().is_some_and(|s| s.end == 0)
                    && let Some(empty) = self.segments.pop_back()
                {
                    // It holds nothing; a file that stays behind is removed at the next start.
                    let _ = empty.remove();
                }
                if !std::mem::replace(&mut self.disk_failed, true) {
                    tracing::warn!(target: LOCAL_TARGET, error = %e, "the log spool cannot be written; lines are kept in memory");
                }
                false
            }
        }
    }

    fn append_to_memory(&mut self, incarnation: u32, bytes: &[u8], to: u64) {
        let piece = self.limits.memory_bytes_max / SEGMENTS;
        let fits = self.segments.back().is_some_and(|s| s.incarnation == incarnation && s.is_memory() && s.end < piece);
        if !fits {
            forget_empty(&mut self.segments);
            self.segments.push_back(Segment::in_memory(incarnation));
        }
        if let Some(segment) = self.segments.back_mut() {
            // Memory takes what it is given.
            let _ = segment.append(bytes);
            segment.last_seq = to;
        }
    }

    /// Drops segments until the spool is within its limits again.
    fn shrink(&mut self) {
        loop {
            let bytes =
                |memory: bool| -> u64 { self.segments.iter().filter(|s| s.is_memory() == memory).map(|s| s.end).sum() };
            let (disk, memory) = (bytes(false), bytes(true));
            let over = disk > self.limits.spool_bytes_max
                || memory > self.limits.memory_bytes_max
                || self.segments.len() > SEGMENTS_MAX;
            if !over || self.segments.len() <= 1 {
                return;
            }
            // Always from the front: what is left has to be in order.
            let Some(segment) = self.segments.pop_front() else { return };
            let reason = if memory > self.limits.memory_bytes_max { "disk and memory full" } else { "spool full" };
            self.drop_segment(segment, reason);
        }
    }

    fn drop_segment(&mut self, segment: Segment, reason: &str) {
        // Only what is not acknowledged is missing.
        if segment.start < segment.end {
            match self.read_entry(&segment, segment.start) {
                Some((entry, _)) => {
                    self.drop_range(segment.incarnation, entry.range().0, segment.last_seq, reason);
                }
                None => self.drop_range(segment.incarnation, segment.last_seq, segment.last_seq, reason),
            }
        }
        if let Err(e) = segment.remove() {
            tracing::warn!(target: LOCAL_TARGET, error = %e, "a dropped piece of the log spool cannot be removed");
        }
    }

    fn drop_range(&mut self, incarnation: u32, from: u64, to: u64, reason: &str) {
        let full = self.dropped.len() >= GAPS_MAX;
        match self.dropped.back_mut() {
            Some((i, gap)) if *i == incarnation && (gap.reason == reason || full) => {
                gap.to = to;
            }
            _ => {
                let gap = LogGap { node: self.name.clone(), from, to, reason: reason.into() };
                self.dropped.push_back((incarnation, gap));
                if self.dropped.len() > 2 * GAPS_MAX {
                    self.dropped.pop_front();
                }
            }
        }
    }

    fn read_entry(&self, segment: &Segment, at: u64) -> Option<(Entry, u64)> {
        let head = segment.read(at, HEAD_BYTES).ok()?;
        let length = u32::from_be_bytes(*head.first_chunk::<4>()?) as usize;
        if length > LINE_BYTES_MAX {
            return None;
        }
        let bytes = segment.read(at, HEAD_BYTES + length).ok()?;
        let entry = rmp_serde::from_slice(unframe(&bytes)?).ok()?;
        Some((entry, at + bytes.len() as u64))
    }

    /// The oldest entries that are not acknowledged.
    pub(super) fn batch(&mut self, bytes_max: usize, items_max: usize) -> Option<Batch> {
        self.drop_unreadable();
        let incarnation = match (self.dropped.front(), self.segments.front()) {
            (Some((dropped, _)), Some(segment)) => *dropped.min(&segment.incarnation),
            (Some((dropped, _)), None) => *dropped,
            (None, Some(segment)) if segment.start < segment.end => segment.incarnation,
            (None, _) => return None,
        };
        let mut batch = Batch { incarnation, first_seq: 0, lines: Vec::new(), gaps: Vec::new(), acknowledged: 0 };
        let gaps = self.dropped.iter().filter(|(i, _)| *i == incarnation);
        batch.gaps.extend(gaps.map(|(_, gap)| gap.clone()));
        let mut bytes = 0;
        'segments: for segment in self.segments.iter().filter(|s| s.incarnation == incarnation) {
            let mut at = segment.start;
            while at < segment.end {
                let Some((entry, next)) = self.read_entry(segment, at) else { break 'segments };
                let size = (next - at) as usize;
                let items = batch.lines.len() + batch.gaps.len();
                if items > 0 && (bytes + size > bytes_max || items >= items_max) {
                    break 'segments;
                }
                bytes += size;
                match entry {
                    Entry::Line(line) => batch.lines.push(line),
                    Entry::Gap(gap) => batch.gaps.push(gap),
                }
                at = next;
            }
        }
        let line = batch.lines.first().map(|l| l.seq);
        let gap = batch.gaps.first().map(|g| g.from);
        batch.first_seq = line.into_iter().chain(gap).min()?;
        Some(batch)
    }

    /// A first segment that cannot be read any more must not hold up the rest for ever.
    fn drop_unreadable(&mut self) {
        while let Some(segment) = self.segments.front()
            && segment.start < segment.end
            && self.read_entry(segment, segment.start).is_none()
            && let Some(segment) = self.segments.pop_front()
        {
            let (incarnation, last) = (segment.incarnation, segment.last_seq);
            tracing::warn!(target: LOCAL_TARGET, incarnation, last, "a piece of the log spool cannot be read; it is dropped");
            self.drop_segment(segment, "spool unreadable");
        }
    }

    pub(super) fn acknowledge(&mut self, incarnation: u32, seq: u64) {
        self.dropped.retain(|(i, gap)| *i != incarnation || gap.to > seq);
        while let Some(segment) = self.segments.front()
            && segment.incarnation == incarnation
        {
            if segment.last_seq > seq {
                let start = self.position_after(segment, seq);
                if let Some(segment) = self.segments.front_mut() {
                    segment.start = start;
                }
                return;
            }
            let keep = self.segments.len() == 1 && !segment.is_memory();
            if keep && let Some(segment) = self.segments.front_mut() {
                // Emptied and kept, so that a quiet node does not make a file per line.
                segment.start = segment.end;
                if segment.clear().is_ok() {
                    return;
                }
            }
            if let Some(done) = self.segments.pop_front()
                && let Err(e) = done.remove()
            {
                tracing::warn!(target: LOCAL_TARGET, error = %e, "a shipped piece of the log spool cannot be removed");
            }
        }
    }

    /// Where the first entry after `seq` begins.
    fn position_after(&self, segment: &Segment, seq: u64) -> u64 {
        let mut at = segment.start;
        while let Some((entry, next)) = self.read_entry(segment, at)
            && entry.range().1 <= seq
        {
            at = next;
        }
        at
    }
}

/// Removes a segment that was emptied and kept, before another is added behind it.
fn forget_empty(segments: &mut VecDeque<Segment>) {
    if segments.back().is_some_and(|s| s.start >= s.end)
        && let Some(empty) = segments.pop_back()
    {
        // A file that stays behind is empty and is removed at the next start.
        let _ = empty.remove();
    }
}

fn parse_name(name: &str) -> Option<(u64, u32)> {
    let (file, incarnation) = name.strip_prefix("spool-")?.strip_suffix(".log")?.split_once('-')?;
    Some((file.parse().ok()?, incarnation.parse().ok()?))
}
