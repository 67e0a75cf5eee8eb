//! Wrong passwords cost time: ever longer for whoever tries, a little for everybody else who tries the same account.

use std::{
    collections::HashMap,
    net::IpAddr,
    sync::{Mutex, PoisonError},
    time::{Duration, Instant},
};

/// Wrong passwords that cost nothing, from one place and from all places together.
const FREE_HERE: u32 = 5;
const FREE_ANYWHERE: u32 = 20;
/// The longest waits. The second is short: those who guess from many places must not keep the owner out.
const LONGEST_HERE: Duration = Duration::from_mins(1);
const LONGEST_ANYWHERE: Duration = Duration::from_secs(10);
/// After so long without a try all is forgotten.
const MEMORY: Duration = Duration::from_mins(30);
/// Places and accounts remembered at once. Full: the oldest half is forgotten.
const MOST: usize = 20_000;

/// How long mails are counted over.
const QUOTA_WINDOW: Duration = Duration::from_hours(1);

/// Counts wrong passwords by account and place.
#[derive(Default)]
pub struct Throttle {
    tries: Mutex<HashMap<Key, Tries>>,
}

/// Whose password, and from where; without a place: from all.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
struct Key {
    email: String,
    place: Option<IpAddr>,
}

#[derive(Debug, Clone, Copy)]
struct Tries {
    wrong: u32,
    last: Instant,
    /// The right password was given from here before: what strangers do elsewhere does not count.
    proven: bool,
}

impl Throttle {
    /// Whether a password may be tried now; the try counts as wrong until [`right`](Self::right) says otherwise, so that
    /// many at once are no way around.
    ///
    /// # Errors
    /// How long to wait.
    pub fn begin(&self, email: &str, from: IpAddr, now: Instant) -> Result<(), Duration> {
        let (here, anywhere) = keys(email, from);
        let mut tries = self.tries.lock().unwrap_or_else(PoisonError::into_inner);
        let wait = |key: &Key, free: u32, longest: Duration| {
            tries.get(key).map_or(Duration::ZERO, |tries| tries.wait(free, longest, now))
        };
        let proven = tries.get(&here).is_some_and(|tries| tries.proven);
        let elsewhere = if proven { Duration::ZERO } else { wait(&anywhere, FREE_ANYWHERE, LONGEST_ANYWHERE) };
        let wait = wait(&here, FREE_HERE, LONGEST_HERE).max(elsewhere);
        if !wait.is_zero() {
            return Err(wait);
        }
        if tries.len() + 2 > MOST {
            forget(&mut tries, now);
        }
        for key in [here, anywhere] {
            let tries = tries.entry(key).or_insert(Tries { wrong: 0, last: now, proven: false });
            tries.wrong =
                if now.saturating_duration_since(tries.last) >= MEMORY { 1 } else { tries.wrong.saturating_add(1) };
            tries.last = now;
        }
        Ok(())
    }

    /// The password was right.
    pub fn right(&self, email: &str, from: IpAddr, now: Instant) {
        let (here, anywhere) = keys(email, from);
        let mut tries = self.tries.lock().unwrap_or_else(PoisonError::into_inner);
        tries.insert(here, Tries { wrong: 0, last: now, proven: true });
        // Those who guess elsewhere keep their waits; this one try was none of theirs.
        if let Some(tries) = tries.get_mut(&anywhere) {
            tries.wrong = tries.wrong.saturating_sub(1);
        }
    }
}

impl Tries {
    /// What is left of the pause after so many wrong ones: 1 s after the free ones, then doubled each time.
    fn wait(&self, free: u32, longest: Duration, now: Instant) -> Duration {
        let passed = now.saturating_duration_since(self.last);
        if self.wrong < free || passed >= MEMORY {
            return Duration::ZERO;
        }
        let pause = Duration::from_secs(1 << (self.wrong - free).min(16)).min(longest);
        pause.saturating_sub(passed)
    }
}

/// How many mails strangers can have sent to an address in an hour. What is above that is silently not sent.
pub struct Quota {
    here: u32,
    anywhere: u32,
    sent: Mutex<HashMap<Key, (Instant, u32)>>,
}

impl Quota {
    /// `here`: from one place; `anywhere`: from all.
    pub fn new(here: u32, anywhere: u32) -> Self {
        Self { here, anywhere, sent: Mutex::default() }
    }

    /// Takes one, if one is left.
    pub fn take(&self, email: &str, from: IpAddr) -> bool {
        self.take_at(email, from, Instant::now())
    }

    fn take_at(&self, email: &str, from: IpAddr, now: Instant) -> bool {
        let (here, anywhere) = keys(email, from);
        let mut sent = self.sent.lock().unwrap_or_else(PoisonError::into_inner);
        let current = |since: Instant| now.saturating_duration_since(since) < QUOTA_WINDOW;
        if sent.len() + 2 > MOST {
            sent.retain(|_, (since, _)| current(*since));
            if sent.len() + 2 > MOST {
                sent.clear();
            }
        }
        let count = |key: &Key| sent.get(key).filter(|(since, _)| current(*since)).map_or(0, |(_, count)| *count);
        if count(&here) >= self.here || count(&anywhere) >= self.anywhere {
            return false;
        }
        for key in [here, anywhere] {
            let (since, count) = sent.entry(key).or_insert((now, 0));
            if !current(*since) {
                (*since, *count) = (now, 0);
            }
            *count += 1;
        }
        true
    }
}

fn keys(email: &str, from: IpAddr) -> (Key, Key) {
    let key = |place| Key { email: email.to_owned(), place };
    (key(Some(place(from))), key(None))
}

/// One household or server has a whole /64 of IPv6.
fn place(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V6(v6) => IpAddr::V6((v6.to_bits() & !u128::from(u64::MAX)).into()),
        v4 @ IpAddr::V4(_) => v4,
    }
}

fn forget(tries: &mut HashMap<Key, Tries>, now: Instant) {
    tries.retain(|_, tries| now.saturating_duration_since(tries.last) < MEMORY);
    if tries.len() + 2 > MOST {
        let mut ages: Vec<_> = tries.values().map(|tries| tries.last).collect();
        ages.sort_unstable();
        let middle = ages[ages.len() / 2];
        tries.retain(|_, tries| tries.last > middle);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const HERE: IpAddr = IpAddr::V4(std::net::Ipv4Addr::new(192, 0, 2, 1));

    fn elsewhere(number: u8) -> IpAddr {
        IpAddr::from([198, 51, 100, number])
    }

    fn secs(seconds: u64) -> Duration {
        Duration::from_secs(seconds)
    }

    #[test]
    fn waits_double_up_to_a_minute_and_end() {
        let throttle = Throttle::default();
        let mut now = Instant::now();
        for _ in 0..FREE_HERE {
            throttle.begin("a@b.c", HERE, now).expect("free");
        }
        for expected in [1, 2, 4, 8, 16, 32, 60, 60] {
            assert_eq!(throttle.begin("a@b.c", HERE, now), Err(secs(expected)));
            now += secs(expected);
            throttle.begin("a@b.c", HERE, now).expect("the wait is over");
        }
        throttle.begin("other@b.c", HERE, now).expect("another account");
        throttle.begin("a@b.c", elsewhere(1), now).expect("another place");
        throttle.begin("a@b.c", HERE, now + MEMORY).expect("forgotten");
    }

    #[test]
    fn strangers_cannot_keep_the_owner_out() {
        let throttle = Throttle::default();
        let now = Instant::now();
        throttle.begin("a@b.c", HERE, now).expect("free");
        throttle.right("a@b.c", HERE, now);
        for number in 0..200 {
            let _ = throttle.begin("a@b.c", elsewhere(number), now);
        }
        let wait = throttle.begin("a@b.c", elsewhere(201), now).expect_err("too many from everywhere");
        assert!(wait <= LONGEST_ANYWHERE, "{wait:?}");
        throttle.begin("a@b.c", HERE, now).expect("the owner's own place");
        throttle.begin("a@b.c", elsewhere(202), now + LONGEST_ANYWHERE).expect("the owner elsewhere, a little later");
    }

    #[test]
    fn the_right_password_wipes_the_slate() {
        let throttle = Throttle::default();
        let now = Instant::now();
        for _ in 0..3 {
            for _ in 0..FREE_HERE {
                throttle.begin("a@b.c", HERE, now).expect("free");
            }
            throttle.right("a@b.c", HERE, now);
        }
    }

    #[test]
    fn neighbours_in_ipv6_count_as_one_and_memory_is_bounded() {
        let throttle = Throttle::default();
        let now = Instant::now();
        for number in 0..FREE_HERE {
            throttle.begin("a@b.c", format!("2001:db8::{number}").parse().expect("an address"), now).expect("free");
        }
        assert!(throttle.begin("a@b.c", "2001:db8::ffff".parse().expect("an address"), now).is_err());
        for number in 0..MOST {
            let _ = throttle.begin(&format!("{number}@b.c"), HERE, now + Duration::from_micros(number as u64));
        }
        assert!(throttle.tries.lock().expect("not poisoned").len() <= MOST);
    }

    #[test]
    fn mails_to_one_address_are_limited_by_the_hour() {
        let quota = Quota::new(2, 3);
        let now = Instant::now();
        let take = |from, later| quota.take_at("a@b.c", from, now + later);
        assert!(take(HERE, secs(0)) && take(HERE, secs(1)) && !take(HERE, secs(2)));
        assert!(take(elsewhere(1), secs(3)) && !take(elsewhere(2), secs(4)));
        assert!(quota.take_at("other@b.c", HERE, now));
        assert!(take(HERE, QUOTA_WINDOW));
    }
}
