//! Which runs a worker gets.

use std::{collections::HashSet, sync::Arc};

use rusqlite::{OptionalExtension as _, params};

use super::{
    error::Fault,
    head::{Head, Turn, earlier},
    in_lines::Lines,
    rows::FIRST_FINISHED,
    take::{Room, Taken},
    tx::Tx,
};
use crate::{
    error::Error,
    store::{
        Claim, Claimed, ClaimedRun, Timestamp, UnknownType, WorkerId,
        parts::{Budget, MAX_UNKNOWN_FUNCTIONS},
    },
};

/// In place of the event type of a run that an earlier version wrote.
const UNTOLD: i64 = 0;

/// What a claim means for the runs behind a head.
enum Standing {
    /// The worker can take them; the place of the function in its capacity.
    Wanted(usize),
    UnknownType(UnknownType),
    UnknownFunction(Arc<str>),
    /// Of a function whose name is lost.
    Nameless,
}

impl Tx<'_> {
    /// Claims runs; `dead` are sessions whose processes are known to have ended.
    pub(super) fn claim(
        &mut self,
        request: &Claim,
        dead: &[WorkerId],
    ) -> Result<Result<Claimed, Error>, Fault> {
        let (worker, now) = (request.capacity.worker, request.now);
        if let Err(unknown) = self.revive(worker, now)? {
            return Ok(Err(unknown));
        }
        for worker in dead {
            self.lose_session(*worker, now)?;
        }
        self.tell(now)?;
        let mut to_show = self.release_expired(now)?;
        if to_show.is_some_and(|due_at| due_at <= now) {
            self.show_due(now, now)?;
            to_show = self.next_to_show()?;
        }
        let mut claimed = Claimed::default().with_next_due(to_show);
        let paused = self.paused_now()?;
        self.begin_lines(request)?;
        let mut heads = self.told_heads()?;
        heads.retain(|head| !paused.contains(&head.function));
        let wanted = self.look_at(&heads, request, &mut claimed)?;
        if let Some(run_id) = &request.only {
            self.claim_named(run_id, request, &paused, &mut claimed)?;
            let mut heads = self.heads()?;
            heads.retain(|head| !paused.contains(&head.function));
            for (head, _) in self.look_at(&heads, request, &mut Claimed::default())? {
                claimed.next_due = earlier(claimed.next_due, Some(head.due_at));
            }
        } else {
            let mut lines = Lines::default();
            let mut turns = self.turns(&wanted, request, &mut claimed.next_due)?;
            self.turns_in_lines(
                &wanted,
                request,
                &paused,
                &mut claimed,
                &mut turns,
                &mut lines,
            )?;
            self.claim_turns(&turns, request, &mut lines, &mut claimed)?;
            self.end_lines(&lines, request, &mut claimed)?;
        }
        Ok(Ok(claimed))
    }

    /// The first waiting run of every function and event type: one step in the index for each that has any.
    pub(super) fn heads(&self) -> Result<Vec<Head>, Fault> {
        let mut statement = self.connection.prepare_cached(
            // Not `(function, event_type) > (?1, ?2)`: SQLite would read the whole backlog of the last head.
            "SELECT * FROM (SELECT function, event_type, due_at FROM runs
                 WHERE due_at IS NOT NULL AND function = ?1 AND event_type > ?2 ORDER BY event_type, due_at LIMIT 1)
             UNION ALL
             SELECT * FROM (SELECT function, event_type, due_at FROM runs
                 WHERE due_at IS NOT NULL AND function > ?1 ORDER BY function, event_type, due_at LIMIT 1)
             LIMIT 1",
        )?;
        let mut heads: Vec<Head> = Vec::new();
        let mut last = (i64::MIN, i64::MIN);
        while let Some(head) = statement
            .query_row(params![last.0, last.1], |row| {
                Ok(Head {
                    function: row.get(0)?,
                    event_type: row.get(1)?,
                    due_at: Timestamp::from_millis(row.get(2)?),
                })
            })
            .optional()?
        {
            last = (head.function, head.event_type);
            heads.push(head);
        }
        Ok(heads)
    }

    /// The heads, after the event types were filled in that an earlier version does not write.
    fn told_heads(&self) -> Result<Vec<Head>, Fault> {
        let heads = self.heads()?;
        let mut untold = false;
        for head in heads.iter().filter(|head| head.event_type == UNTOLD) {
            let told = self.execute(
                "UPDATE runs SET event_type = coalesce((SELECT event_type FROM events WHERE number = runs.event), 0)
                 WHERE function = ?1 AND event_type = 0 AND due_at IS NOT NULL",
                params![head.function],
            )?;
            untold |= told > 0;
        }
        if untold { self.heads() } else { Ok(heads) }
    }

    /// The heads that the claim wants; what else is due is named.
    fn look_at<'h>(
        &mut self,
        heads: &'h [Head],
        request: &Claim,
        claimed: &mut Claimed,
    ) -> Result<Vec<(&'h Head, usize)>, Fault> {
        let mut wanted = Vec::with_capacity(heads.len());
        for head in heads {
            let due = head.due_at <= request.now;
            match self.standing(head, request)? {
                Standing::Wanted(place) => wanted.push((head, place)),
                Standing::UnknownType(unknown) if due => claimed.unknown_types.push(unknown),
                Standing::UnknownFunction(id)
                    if due && claimed.unknown_functions.last() != Some(&id) =>
                {
                    claimed.unknown_functions.push(id);
                }
                _ => {}
            }
        }
        claimed.unknown_types.truncate(MAX_UNKNOWN_FUNCTIONS);
        claimed.unknown_functions.truncate(MAX_UNKNOWN_FUNCTIONS);
        Ok(wanted)
    }

    fn standing(&mut self, head: &Head, request: &Claim) -> Result<Standing, Fault> {
        let function_id = match self.names.name(head.function) {
            Err(fault) if fault.is_of_the_row() => return Ok(Standing::Nameless),
            name => name?,
        };
        let functions = &request.capacity.functions;
        let place = functions
            .iter()
            .position(|function| function.function_id == function_id);
        let Some(place) = place else {
            return Ok(Standing::UnknownFunction(function_id));
        };
        if functions[place].event_types.is_none() {
            return Ok(Standing::Wanted(place));
        }
        Ok(match self.names.name(head.event_type) {
            Ok(event_type) if !functions[place].reads(&event_type) => {
                Standing::UnknownType(UnknownType::new(function_id, event_type))
            }
            // Nobody can read a type whose name is lost: its runs are taken, and set aside.
            Err(fault) if !fault.is_of_the_row() => return Err(fault),
            _ => Standing::Wanted(place),
        })
    }

    /// The functions take turns, each with the run that is due the longest; within a turn the longest due goes first.
    /// `next_due` becomes that of the first one left.
    fn turns(
        &mut self,
        wanted: &[(&Head, usize)],
        request: &Claim,
        next_due: &mut Option<Timestamp>,
    ) -> Result<Vec<Turn>, Fault> {
        let capacity = &request.capacity;
        let mut turns: Vec<Turn> = Vec::new();
        for of_function in wanted.chunk_by(|a, b| a.1 == b.1) {
            let function = &capacity.functions[of_function[0].1];
            if function.lanes.is_some() {
                continue;
            }
            let most = function.limit.min(capacity.limit);
            let mut due = Vec::new();
            for (head, _) in of_function {
                if head.due_at > request.now || most == 0 {
                    *next_due = earlier(*next_due, Some(head.due_at));
                } else {
                    self.due(head, most, request.now, &mut due, next_due)?;
                }
            }
            due.sort_unstable();
            if let Some((due_at, _)) = due.get(most) {
                *next_due = earlier(*next_due, Some(Timestamp::from_millis(*due_at)));
            }
            due.truncate(most);
            let numbered = due.into_iter().enumerate();
            turns.extend(numbered.map(|(nth, (due_at, number))| Turn {
                nth,
                due_at,
                number,
                in_line: None,
            }));
        }
        turns.sort_unstable();
        Ok(turns)
    }

    /// The runs behind a head that are due, and one more than can be taken, to know when the next is due.
    fn due(
        &self,
        head: &Head,
        most: usize,
        now: Timestamp,
        due: &mut Vec<(i64, i64)>,
        next_due: &mut Option<Timestamp>,
    ) -> Result<(), Fault> {
        let mut statement = self.connection.prepare_cached(
            "SELECT due_at, number FROM runs WHERE function = ?1 AND event_type = ?2 AND due_at IS NOT NULL
             ORDER BY due_at, number LIMIT ?3",
        )?;
        let most = i64::try_from(most).unwrap_or(i64::MAX).saturating_add(1);
        let mut found = statement.query(params![head.function, head.event_type, most])?;
        while let Some(row) = found.next()? {
            let due_at: i64 = row.get(0)?;
            if due_at > now.as_millis() {
                *next_due = earlier(*next_due, Some(Timestamp::from_millis(due_at)));
                break;
            }
            due.push((due_at, row.get(1)?));
        }
        Ok(())
    }

    fn claim_turns(
        &mut self,
        turns: &[Turn],
        request: &Claim,
        lines: &mut Lines,
        claimed: &mut Claimed,
    ) -> Result<(), Fault> {
        let mut room = Room::new(request.max_bytes);
        let mut taken: Vec<(i64, i64, ClaimedRun)> = Vec::with_capacity(turns.len());
        let mut rest = turns.iter();
        while taken.len() < request.capacity.limit
            && let Some(turn) = rest.as_slice().first()
        {
            if !lines.have_place(turn, request) {
                rest.next();
                continue;
            }
            match self.take(turn.number, request, &mut room)? {
                Taken::Run(run) => {
                    lines.take(turn);
                    taken.push((turn.due_at, turn.number, *run));
                }
                Taken::SetAside(aside) => claimed.set_aside.push(aside),
                Taken::Gone => {}
                Taken::NoRoom => break,
            }
            rest.next();
        }
        // Lines say themselves whether there is more of them.
        let rest = rest.filter(|turn| !matches!(turn.in_line, Some((_, Some(_)))));
        if let Some(due_at) = rest.map(|turn| turn.due_at).min() {
            claimed.next_due = earlier(claimed.next_due, Some(Timestamp::from_millis(due_at)));
        }
        taken.sort_unstable_by_key(|(due_at, number, _)| (*due_at, *number));
        claimed.runs.extend(taken.into_iter().map(|(.., run)| run));
        Ok(())
    }

    fn claim_named(
        &mut self,
        run_id: &Arc<str>,
        request: &Claim,
        paused: &HashSet<i64>,
        claimed: &mut Claimed,
    ) -> Result<(), Fault> {
        let Some(number) = self.choose_named(run_id, request, paused)? else {
            return Ok(());
        };
        match self.take(number, request, &mut Room::new(request.max_bytes))? {
            Taken::Run(run) => claimed.runs.push(*run),
            Taken::SetAside(aside) => claimed.set_aside.push(aside),
            Taken::Gone | Taken::NoRoom => {}
        }
        Ok(())
    }

    fn choose_named(
        &mut self,
        run_id: &Arc<str>,
        request: &Claim,
        paused: &HashSet<i64>,
    ) -> Result<Option<i64>, Fault> {
        let found: Option<(i64, i64, i64)> = self
            .connection
            .prepare_cached(
                "SELECT runs.number, function, events.event_type FROM runs JOIN events ON events.number = runs.event
                 WHERE runs.id = ?1 AND status < ?2 AND worker IS NULL",
            )?
            .query_row(params![&**run_id, FIRST_FINISHED], |row| {
                Ok((row.get(0)?, row.get(1)?, row.get(2)?))
            })
            .optional()?;
        let Some((number, function, event_type)) = found else {
            return Ok(None);
        };
        if paused.contains(&function) {
            return Ok(None);
        }
        let names = (self.names.name(function), self.names.name(event_type));
        let (function, event_type) = match names {
            (Ok(function), Ok(event_type)) => (function, event_type),
            // It is taken, and set aside.
            (Err(fault), _) | (_, Err(fault)) if fault.is_of_the_row() => return Ok(Some(number)),
            (Err(fault), _) | (_, Err(fault)) => return Err(fault),
        };
        let fits = Budget::new(&request.capacity).take(&function, &event_type)
            && self.has_place(number, &function, request)?;
        Ok(fits.then_some(number))
    }
}
