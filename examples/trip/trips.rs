//! The function: three reservations, of which two can be undone.

use belts::{Event, State, step};
use serde::{Deserialize, Serialize};

use crate::desk::{Desk, Reservation};

#[derive(Debug, Clone, Serialize, Deserialize, Event)]
pub(crate) struct TripRequested {
    pub(crate) trip_id: String,
    /// Whether a car is left for it.
    pub(crate) has_car: bool,
}

#[belts::function(id = "book-trip", on = TripRequested)]
async fn book_trip(trip: TripRequested, State(desk): State<Desk>) -> belts::Result<()> {
    let TripRequested { trip_id, has_car } = &trip;
    for what in ["flight", "hotel"] {
        let at = desk.clone();
        step!(
            "{what}",
            desk.reserve(trip_id, what),
            undo = move |reservation: Reservation| at.clone().release(reservation)
        )
        .await?;
    }
    step!("car", async {
        if !has_car {
            return Err(belts::terminal("no car is left"));
        }
        desk.reserve(trip_id, "car").map_err(belts::Error::from_any)
    })
    .await?;
    Ok(())
}
