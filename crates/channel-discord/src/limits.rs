//! Rate limits, as Discord counts them: by bucket, and for the whole bot.
//!
//! Which routes share a bucket is learnt from responses. A bucket counts for one chat at a time: the id of the chat
//! belongs to its key. Times are told as durations, so that clocks that are apart change nothing.

use std::collections::HashMap;
use std::time::Duration;

use channel_kit::http::{Response, seconds};
use tokio::time::Instant;

/// Maximum number of routes and of buckets that are remembered.
const MOST: usize = 1000;

/// The longest wait that is believed.
const LONGEST: Duration = Duration::from_secs(24 * 3600);

/// A route, as Discord tells them apart: the method with the shape of the path, and the chat in it.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) struct Route {
    shape: &'static str,
    chat: Box<str>,
    /// Whether the limit of the whole bot does not count. That is so for interactions, which cannot wait.
    is_apart: bool,
}

/// What is known of the limits.
#[derive(Debug, Default)]
pub(crate) struct Limits {
    /// The bucket of each shape of a route.
    names: HashMap<&'static str, Box<str>>,
    /// By the name of a bucket, or the shape of a route while that is not known, and the chat.
    buckets: HashMap<(Box<str>, Box<str>), Bucket>,
    /// The whole bot has to wait until then.
    all_until: Option<Instant>,
}

#[derive(Debug)]
struct Bucket {
    left: u32,
    until: Instant,
}

impl Route {
    pub(crate) fn new(shape: &'static str, chat: &str) -> Self {
        Self {
            shape,
            chat: chat.into(),
            is_apart: false,
        }
    }

    /// The same, where the limit of the whole bot does not count.
    pub(crate) fn apart(self) -> Self {
        Self {
            is_apart: true,
            ..self
        }
    }
}

impl Limits {
    /// Takes one request out of the bucket of a route, or says how long to wait for the next one.
    pub(crate) fn take(&mut self, route: &Route, now: Instant) -> Result<(), Duration> {
        let all_until = self.all_until.filter(|_| !route.is_apart);
        if let Some(until) = all_until.filter(|until| *until > now) {
            return Err(until - now);
        }
        let key = self.key(route);
        match self.buckets.get_mut(&key) {
            Some(bucket) if bucket.until <= now => {
                self.buckets.remove(&key);
                Ok(())
            }
            Some(bucket) if bucket.left == 0 => Err(bucket.until - now),
            Some(bucket) => {
                bucket.left -= 1;
                Ok(())
            }
            None => Ok(()),
        }
    }

    /// Notes what a response says of its bucket.
    pub(crate) fn note(&mut self, route: &Route, response: &Response, now: Instant) {
        let header = |name| response.header(name);
        if let Some(name) = header("x-ratelimit-bucket").filter(|name| name.len() <= 64)
            && self.names.len() < MOST
        {
            self.names.insert(route.shape, name.into());
        }
        let left = header("x-ratelimit-remaining").and_then(|text| text.parse().ok());
        let after = header("x-ratelimit-reset-after")
            .and_then(|text| text.parse().ok())
            .and_then(seconds);
        if let (Some(left), Some(after)) = (left, after) {
            self.set(route, left, after, now);
        }
    }

    /// Notes that a request was refused for now.
    pub(crate) fn refused(&mut self, route: &Route, after: Duration, is_all: bool, now: Instant) {
        if is_all {
            self.all_until = Some(now + after.min(LONGEST));
        } else {
            self.set(route, 0, after, now);
        }
    }

    fn set(&mut self, route: &Route, left: u32, after: Duration, now: Instant) {
        if self.buckets.len() >= MOST {
            self.buckets.retain(|_, bucket| bucket.until > now);
            if self.buckets.len() >= MOST {
                // What is forgotten is learnt again by one refused request.
                self.buckets.clear();
            }
        }
        let until = now + after.min(LONGEST);
        self.buckets.insert(self.key(route), Bucket { left, until });
    }

    fn key(&self, route: &Route) -> (Box<str>, Box<str>) {
        let name = self.names.get(route.shape);
        let name = name.map_or(route.shape, |name| name);
        (name.into(), route.chat.clone())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn route(shape: &'static str, chat: &str) -> Route {
        Route::new(shape, chat)
    }

    #[test]
    fn a_bucket_is_used_up_and_filled_again() {
        let (mut limits, now) = (Limits::default(), Instant::now());
        let (own, other) = (route("POST", "1"), route("POST", "2"));
        assert_eq!(limits.take(&own, now), Ok(()));
        limits.set(&own, 2, Duration::from_secs(5), now);
        assert_eq!(limits.take(&own, now), Ok(()));
        assert_eq!(limits.take(&own, now), Ok(()));
        assert_eq!(limits.take(&own, now), Err(Duration::from_secs(5)));
        assert_eq!(limits.take(&other, now), Ok(()));
        let later = now + Duration::from_secs(5);
        assert_eq!(limits.take(&own, later), Ok(()));
    }

    #[test]
    fn routes_of_one_bucket_share_it() {
        let (mut limits, now) = (Limits::default(), Instant::now());
        for shape in ["PATCH", "DELETE"] {
            limits.names.insert(shape, "b".into());
        }
        limits.refused(&route("PATCH", "1"), Duration::from_secs(9), false, now);
        let wait = Err(Duration::from_secs(9));
        assert_eq!(limits.take(&route("DELETE", "1"), now), wait);
        assert_eq!(limits.take(&route("POST", "1"), now), Ok(()));
    }

    #[test]
    fn a_limit_of_the_whole_bot_stops_everything_for_no_more_than_a_day() {
        let (mut limits, now) = (Limits::default(), Instant::now());
        limits.refused(&route("POST", "1"), Duration::from_secs(3), true, now);
        assert_eq!(
            limits.take(&route("GET", ""), now),
            Err(Duration::from_secs(3))
        );
        // An interaction cannot wait, and need not.
        assert_eq!(limits.take(&route("POST", "1").apart(), now), Ok(()));
        limits.refused(&route("POST", "1"), Duration::MAX, true, now);
        assert_eq!(limits.take(&route("GET", ""), now), Err(LONGEST));
    }

    #[test]
    fn chats_without_number_take_no_more_room() {
        let (mut limits, now) = (Limits::default(), Instant::now());
        for chat in 0..3 * MOST {
            let route = route("POST", &chat.to_string());
            limits.refused(&route, Duration::from_secs(60), false, now);
            assert!(limits.buckets.len() <= MOST);
            assert!(limits.take(&route, now).is_err());
        }
    }
}
