//! Those who wait before the doorway: of each source the last that came goes first, and all sources take turns.
//!
//! Who came first has waited longest, and so is the likeliest to have given up. A handshake with one of those is work for
//! nobody, and while it is done others give up: so a leader of thousands was twice as long busy with them as it had to be.

use super::limits::{LINE_MAX, LINE_PER_SOURCE_MAX, LINE_TIMEOUT};
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

    /// Takes somebody in, and gives for whom there is no room then, who may be the same.
    pub(crate) fn join(&mut self, source: IpAddr, who: T, now: Instant) -> Option<T> {
        let of_source = self.by_source.get(&source).map_or(0, VecDeque::len);
        if of_source < LINE_PER_SOURCE_MAX && self.waiting >= LINE_MAX {
            return Some(who);
        }
        if of_source == 0 {
            self.turns.push_back(source);
        }
        let queue = self.by_source.entry(source).or_default();
        queue.push_back((now, who));
        if of_source < LINE_PER_SOURCE_MAX {
            self.waiting += 1;
            return None;
        }
        queue.pop_front().map(|(_, first)| first)
    }

    /// The next one who may enter. Those who have waited for longer than anybody does are passed to `forget`.
    pub(crate) fn next<P>(
        &mut self,
        now: Instant,
        enter: impl Fn(IpAddr) -> Option<P>,
        mut forget: impl FnMut(T),
    ) -> Option<(T, P)> {
        for _ in 0..self.turns.len() {
            let source = self.turns.pop_front()?;
            let Some(queue) = self.by_source.get_mut(&source) else { continue };
            let before = queue.len();
            while queue.front().is_some_and(|(since, _)| now.duration_since(*since) >= LINE_TIMEOUT)
                && let Some((_, who)) = queue.pop_front()
            {
                forget(who);
            }
            let place = if queue.is_empty() { None } else { enter(source) };
            let first = place.and_then(|place| queue.pop_back().map(|(_, who)| (who, place)));
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
        std::iter::from_fn(|| line.next(now, &enter, drop)).map(|(who, ())| who).collect()
    }

    #[test]
    fn the_last_goes_first_and_no_source_waits_for_another() {
        let (mut line, now) = (Line::default(), Instant::now());
        for (source, who) in [(A, 1), (A, 2), (A, 3), (B, 4)] {
            assert_eq!(line.join(source, who, now), None);
        }
        assert_eq!(all(&mut line, now, |source| (source == B).then_some(())), [4], "the doorway has no room for A");
        assert_eq!(line.join(B, 5, now), None);
        assert_eq!(all(&mut line, now, |_| Some(())), [3, 5, 2, 1]);
        assert!(line.is_empty() && line.turns.is_empty() && line.by_source.is_empty());
    }

    #[test]
    fn whoever_has_given_up_is_forgotten() {
        let (mut line, now) = (Line::default(), Instant::now());
        let later = now + Duration::from_secs(1);
        for (source, who, at) in [(A, 1, now), (A, 2, later), (B, 3, now)] {
            assert_eq!(line.join(source, who, at), None);
        }
        let mut forgotten = Vec::new();
        let next = line.next(now + LINE_TIMEOUT, |_| Some(()), |who| forgotten.push(who));
        assert_eq!((next, forgotten), (Some((2, ())), vec![1]));
        assert!(all(&mut line, now + LINE_TIMEOUT, |_| Some(())).is_empty());
        assert!(line.is_empty() && line.turns.is_empty());
    }

    #[test]
    fn one_source_cannot_fill_it() {
        let (mut line, now) = (Line::default(), Instant::now());
        let joined = (0..).take_while(|n| line.join(A, *n, now).is_none()).count();
        assert_eq!(joined, LINE_PER_SOURCE_MAX);
        assert_eq!(line.join(A, 0, now), Some(1), "the first but one makes room, as the first did");
        let joined = (0..).take_while(|n| line.join(B, *n, now).is_none()).count();
        assert_eq!(joined, LINE_MAX - LINE_PER_SOURCE_MAX);
    }
}
