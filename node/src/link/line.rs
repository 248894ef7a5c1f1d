//! Those who wait before the doorway, each source in its own order and all sources in turn.

use super::limits::{DIAL_TIMEOUT, LINE_MAX, LINE_PER_SOURCE_MAX};
use hashbrown::HashMap;
use std::collections::VecDeque;
use std::net::IpAddr;
use std::time::Instant;

pub(crate) struct Line<T> {
    by_source: HashMap<IpAddr, VecDeque<(Instant, T)>>,
    /// The sources that have somebody here, the next one first.
    turns: VecDeque<IpAddr>,
    waiting: usize,
}

impl<T> Default for Line<T> {
    fn default() -> Self {
        Self { by_source: HashMap::new(), turns: VecDeque::new(), waiting: 0 }
    }
}

impl<T> Line<T> {
    pub(crate) fn is_empty(&self) -> bool {
        self.waiting == 0
    }

    /// Takes somebody in.
    ///
    /// # Errors
    /// Gives back for whom there is no room.
    pub(crate) fn join(&mut self, source: IpAddr, who: T, now: Instant) -> Result<(), T> {
        let of_source = self.by_source.get(&source).map_or(0, VecDeque::len);
        if self.waiting >= LINE_MAX || of_source >= LINE_PER_SOURCE_MAX {
            return Err(who);
        }
        if of_source == 0 {
            self.turns.push_back(source);
        }
        self.by_source.entry(source).or_default().push_back((now, who));
        self.waiting += 1;
        Ok(())
    }

    /// The next one who has not waited for longer than anybody does, of a source that may enter.
    pub(crate) fn next<P>(&mut self, now: Instant, enter: impl Fn(IpAddr) -> Option<P>) -> Option<(T, P)> {
        for _ in 0..self.turns.len() {
            let source = self.turns.pop_front()?;
            let Some(queue) = self.by_source.get_mut(&source) else { continue };
            let before = queue.len();
            while queue.front().is_some_and(|(since, _)| now.duration_since(*since) >= DIAL_TIMEOUT) {
                queue.pop_front();
            }
            let place = if queue.is_empty() { None } else { enter(source) };
            let first = place.and_then(|place| queue.pop_front().map(|(_, who)| (who, place)));
            self.waiting -= before - queue.len();
            if queue.is_empty() {
                self.by_source.remove(&source);
            } else {
                self.turns.push_back(source);
            }
            if first.is_some() {
                return first;
            }
        }
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    const A: IpAddr = IpAddr::V4(std::net::Ipv4Addr::new(10, 0, 0, 1));
    const B: IpAddr = IpAddr::V4(std::net::Ipv4Addr::new(10, 0, 0, 2));

    fn all(line: &mut Line<u32>, now: Instant, enter: impl Fn(IpAddr) -> Option<()>) -> Vec<u32> {
        std::iter::from_fn(|| line.next(now, &enter)).map(|(who, ())| who).collect()
    }

    #[test]
    fn each_source_keeps_its_order_and_none_waits_for_another() {
        let (mut line, now) = (Line::default(), Instant::now());
        for (source, who) in [(A, 1), (A, 2), (A, 3), (B, 4)] {
            line.join(source, who, now).unwrap();
        }
        assert_eq!(all(&mut line, now, |source| (source == B).then_some(())), [4], "the doorway has no room for A");
        line.join(B, 5, now).unwrap();
        assert_eq!(all(&mut line, now, |_| Some(())), [1, 5, 2, 3]);
        assert!(line.is_empty() && line.turns.is_empty() && line.by_source.is_empty());
    }

    #[test]
    fn whoever_has_given_up_is_forgotten() {
        let (mut line, now) = (Line::default(), Instant::now());
        line.join(A, 1, now).unwrap();
        line.join(A, 2, now + Duration::from_secs(1)).unwrap();
        line.join(B, 3, now).unwrap();
        assert_eq!(all(&mut line, now + DIAL_TIMEOUT, |_| Some(())), [2]);
        assert!(line.is_empty() && line.turns.is_empty());
    }

    #[test]
    fn one_source_cannot_fill_it() {
        let (mut line, now) = (Line::default(), Instant::now());
        let joined = (0..).take_while(|n| line.join(A, *n, now).is_ok()).count();
        assert_eq!(joined, LINE_PER_SOURCE_MAX);
        let joined = (0..).take_while(|n| line.join(B, *n, now).is_ok()).count();
        assert_eq!(joined, LINE_MAX - LINE_PER_SOURCE_MAX);
    }
}
