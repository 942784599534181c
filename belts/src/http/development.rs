//! The token that `serve` makes on a development machine: in a file next to the store that only its owner can read, where the
//! program `belts` finds it.

use std::{
    ffi::OsString,
    fs, io,
    io::Write as _,
    path::{Path, PathBuf},
};

use uuid::Uuid;

use super::InspectionToken;

/// The token's file, for a store's file.
pub(crate) fn beside(store: &Path) -> PathBuf {
    let mut name = OsString::from(store);
    name.push("-token");
    name.into()
}

/// The token of a store, if there is one that nobody else can have written or read.
pub(crate) fn find(store: &Path) -> Option<String> {
    let path = beside(store);
    if !is_private(&path, store) {
        return None;
    }
    let text = fs::read_to_string(path).ok()?.trim().to_owned();
    InspectionToken::new(&text).is_ok().then_some(text)
}

/// Finds the token of a store, or makes and stores one.
pub(crate) fn make(store: &Path) -> io::Result<InspectionToken> {
    let token = match find(store) {
        Some(token) => token,
        None => keep(store)?,
    };
    InspectionToken::new(&token).map_err(io::Error::other)
}

fn keep(store: &Path) -> io::Result<String> {
    let path = beside(store);
    // 244 random bits from the system.
    let token = format!("{}{}", Uuid::new_v4().simple(), Uuid::new_v4().simple());
    let mut new = OsString::from(&path);
    new.push(format!(".{}", Uuid::new_v4().simple()));
    write_private(Path::new(&new), &token)?;
    let kept = settle(Path::new(&new), &path, store);
    // The rest is of no use to anyone.
    drop(fs::remove_file(&new));
    Ok(kept?.unwrap_or(token))
}

/// Moves a new token into place atomically, so that nobody reads half of it; or finds the one of another process that started
/// at the same moment and was faster.
fn settle(new: &Path, path: &Path, store: &Path) -> io::Result<Option<String>> {
    if fs::hard_link(new, path).is_ok() {
        return Ok(None);
    }
    match find(store) {
        Some(other) => Ok(Some(other)),
        None => fs::rename(new, path).map(|()| None),
    }
}

fn write_private(path: &Path, token: &str) -> io::Result<()> {
    let mut options = fs::OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    let mut file = options.open(path)?;
    writeln!(file, "{token}")?;
    file.sync_all()
}

/// Whether a file belongs to the store's owner and is accessible to nobody else.
fn is_private(path: &Path, store: &Path) -> bool {
    let Ok(file) = fs::symlink_metadata(path) else {
        return false;
    };
    #[cfg(unix)]
    {
        use std::os::unix::fs::MetadataExt as _;
        let owner = fs::metadata(store).map(|store| store.uid());
        if file.mode() & 0o077 != 0 || owner.ok() != Some(file.uid()) {
            return false;
        }
    }
    #[cfg(not(unix))]
    let _ = store;
    file.is_file()
}

#[cfg(all(test, unix))]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;

    fn store() -> (PathBuf, PathBuf) {
        let folder = std::env::temp_dir().join(format!("belts-{}", Uuid::now_v7().simple()));
        fs::create_dir(&folder).expect("a folder can be made");
        let store = folder.join("belts.db");
        fs::write(&store, b"").expect("a file can be written");
        (folder, store)
    }

    #[test]
    fn a_token_is_kept_for_its_owner_alone_and_found_again() {
        let (folder, store) = store();
        make(&store).unwrap();
        let token = find(&store).unwrap();
        let mode = fs::metadata(beside(&store)).unwrap().permissions().mode();
        assert_eq!((mode & 0o777, token.len()), (0o600, 64));
        make(&store).unwrap();
        assert_eq!(find(&store), Some(token));
        fs::remove_dir_all(folder).unwrap();
    }

    /// Two processes that started at once on a new store each kept a token of their own, and the program `belts` had that of
    /// one of them.
    #[test]
    fn all_who_make_a_token_at_the_same_moment_have_the_one_that_is_kept() {
        const AT_ONCE: usize = 8;
        for _ in 0..30 {
            let (folder, store) = store();
            let gate = std::sync::Barrier::new(AT_ONCE);
            let join_in = || {
                gate.wait();
                make(&store).unwrap()
            };
            let tokens: Vec<_> = std::thread::scope(|scope| {
                let all: Vec<_> = (0..AT_ONCE).map(|_| scope.spawn(join_in)).collect();
                all.into_iter().map(|one| one.join().unwrap()).collect()
            });
            let kept = find(&store).unwrap();
            assert!(tokens.iter().all(|it| it.is(&kept)));
            let files = fs::read_dir(&folder).unwrap().count();
            assert_eq!(files, 2, "nothing is left beside the store and its token");
            fs::remove_dir_all(folder).unwrap();
        }
    }

    #[test]
    fn a_file_that_others_could_read_or_that_leads_elsewhere_is_replaced() {
        let (folder, store) = store();
        let (path, planted) = (beside(&store), "planted-by-somebody-else");
        fs::write(&path, planted).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o644)).unwrap();
        assert_eq!(find(&store), None);
        make(&store).unwrap();
        assert_ne!(find(&store).unwrap(), planted);
        let elsewhere = folder.join("elsewhere");
        fs::rename(&path, &elsewhere).unwrap();
        std::os::unix::fs::symlink(&elsewhere, &path).unwrap();
        assert_eq!(find(&store), None);
        make(&store).unwrap();
        assert!(fs::symlink_metadata(&path).unwrap().is_file());
        fs::remove_dir_all(folder).unwrap();
    }
}
