//! How many requests one person or address may make in a minute: counted here, or in Redis for several servers together.

use std::{
    collections::HashMap,
    sync::{Mutex, PoisonError},
    time::{Duration, Instant, SystemTime, UNIX_EPOCH},
};

use redis::aio::{ConnectionManager, ConnectionManagerConfig};

/// The stretch of time that is counted over.
const WINDOW: Duration = Duration::from_mins(1);
/// Who is counted at once. Full: windows that are over go; if none is, everybody starts anew, which lets a few requests
/// more through rather than keeping people out.
const MOST: usize = 100_000;
/// How long Redis may take to answer; after that the server counts for itself.
const REDIS_WITHIN: Duration = Duration::from_millis(250);

/// Counts requests.
pub struct RateCounter {
    own: Mutex<HashMap<String, Window>>,
    shared: Option<ConnectionManager>,
}

struct Window {
    began: Instant,
    count: u32,
}

/// What a counted request learns.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Counted {
    /// Whether it is within the limit.
    pub allowed: bool,
    pub limit: u32,
    pub remaining: u32,
    /// Until counting starts anew.
    pub resets_in: Duration,
}

impl RateCounter {
    /// Counts in this process.
    #[must_use]
    pub fn own() -> Self {
        Self { own: Mutex::default(), shared: None }
    }

    /// Counts in Redis, and in this process while Redis is away.
    ///
    /// # Errors
    /// When `url` is not a Redis address. A Redis that does not answer yet is no error.
    pub fn shared(url: &str) -> Result<Self, String> {
        let client = redis::Client::open(url)
            .map_err(|error| format!("REDIS_URL: {error}\nhint: redis://host:6379/0, or leave it empty"))?;
        let config = ConnectionManagerConfig::new()
            .set_connection_timeout(Some(REDIS_WITHIN))
            .set_response_timeout(Some(REDIS_WITHIN));
        let manager =
            ConnectionManager::new_lazy_with_config(client, config).map_err(|error| format!("REDIS_URL: {error}"))?;
        Ok(Self { own: Mutex::default(), shared: Some(manager) })
    }

    /// Counts one request of `who`, of whom `limit` a minute are allowed.
    pub async fn count(&self, who: &str, limit: u32) -> Counted {
        if let Some(redis) = &self.shared {
            match tokio::time::timeout(REDIS_WITHIN, count_in_redis(redis.clone(), who, limit)).await {
                Ok(Ok(counted)) => return counted,
                Ok(Err(error)) => tracing::warn!(%error, "redis cannot count requests, this server counts for itself"),
                Err(_) => tracing::warn!("redis takes too long to count requests, this server counts for itself"),
            }
        }
        self.count_here(who, limit, Instant::now())
    }

    fn count_here(&self, who: &str, limit: u32, now: Instant) -> Counted {
        let mut windows = self.own.lock().unwrap_or_else(PoisonError::into_inner);
        if windows.len() >= MOST && !windows.contains_key(who) {
            windows.retain(|_, window| now.saturating_duration_since(window.began) < WINDOW);
            if windows.len() >= MOST {
                windows.clear();
            }
        }
        let window = windows.entry(who.to_owned()).or_insert(Window { began: now, count: 0 });
        if now.saturating_duration_since(window.began) >= WINDOW {
            *window = Window { began: now, count: 0 };
        }
        window.count = window.count.saturating_add(1);
        counted(window.count, limit, WINDOW.saturating_sub(now.saturating_duration_since(window.began)))
    }
}

fn counted(count: u32, limit: u32, resets_in: Duration) -> Counted {
    Counted { allowed: count <= limit, limit, remaining: limit.saturating_sub(count), resets_in }
}

async fn count_in_redis(mut redis: ConnectionManager, who: &str, limit: u32) -> redis::RedisResult<Counted> {
    let since_epoch = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    let window = since_epoch.as_secs() / WINDOW.as_secs();
    let key = format!("aigolos:rate:{who}:{window}");
    // Twice the window: clocks of several servers differ a little.
    let (count,): (u32,) = redis::pipe()
        .atomic()
        .incr(&key, 1)
        .expire(&key, 2 * WINDOW.as_secs() as i64)
        .ignore()
        .query_async(&mut redis)
        .await?;
    let into = Duration::from_secs(since_epoch.as_secs() % WINDOW.as_secs());
    Ok(counted(count, limit, WINDOW.saturating_sub(into)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_has_its_own_minute() {
        let counter = RateCounter::own();
        let start = Instant::now();
        for left in [1, 0] {
            let counted = counter.count_here("a", 2, start);
            assert!(counted.allowed && counted.remaining == left, "{counted:?}");
        }
        let refused = counter.count_here("a", 2, start + Duration::from_secs(20));
        assert!(!refused.allowed && refused.resets_in == Duration::from_secs(40), "{refused:?}");
        assert!(counter.count_here("b", 2, start).allowed);
        assert!(counter.count_here("a", 2, start + WINDOW).allowed, "a new minute");
    }

    #[test]
    fn memory_is_bounded() {
        let counter = RateCounter::own();
        let start = Instant::now();
        for who in 0..MOST + 10 {
            assert!(counter.count_here(&who.to_string(), 1, start).allowed);
        }
        assert!(counter.own.lock().expect("not poisoned").len() <= MOST);
    }

    #[tokio::test]
    async fn without_redis_the_server_counts_for_itself() {
        assert!(RateCounter::shared("http://nonsense").is_err());
        // Port 1 listens nowhere.
        let counter = RateCounter::shared("redis://127.0.0.1:1/").expect("an address");
        assert!(counter.count("a", 1).await.allowed);
        assert!(!counter.count("a", 1).await.allowed);
    }
}
