//! Places for jobs that come at random (Erlang's formula C for M/M/c).
//!
//! Little's law says how many jobs are in work on average: rate times service time, the load. With no more places
//! than that jobs would wait for ever longer.

/// Of those who wait for longer than the target.
const LATE: f64 = 0.05;
/// A thousand pods of 64 places.
const MOST_PLACES: u32 = 64_000;

/// The fewest places with which at most 5 % of the jobs wait for longer than `patience` service times.
pub(super) fn places_for_load(load: f64, patience: f64) -> u32 {
    if load <= 0.0 {
        return 0;
    }
    // Erlang's B by its recurrence, from no places on.
    let mut blocked = 1.0;
    for places in 1..=MOST_PLACES {
        let number = f64::from(places);
        blocked = load * blocked / (number + load * blocked);
        if number > load {
            let waits = blocked / (1.0 - (load / number) * (1.0 - blocked));
            if waits * (-(number - load) * patience).exp() <= LATE {
                return places;
            }
        }
    }
    MOST_PLACES
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_grow_with_the_load_and_shrink_with_patience() {
        // Of ten erlangs on fourteen places 17 % wait, and of those e^-4 for longer than a service time.
        for (load, patience, expected) in
            [(0.0, 1.0, 0), (0.01, 1.0, 1), (1.0, 1.0, 3), (10.0, 0.0, 17), (10.0, 1.0, 13), (10.0, 9.0, 11)]
        {
            assert_eq!(places_for_load(load, patience), expected, "{load} erlangs, {patience}");
        }
        assert_eq!(places_for_load(1e9, 1.0), MOST_PLACES);
    }
}
