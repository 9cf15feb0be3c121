//! Which servers tests can try.

use bench::Model;

/// Those of them that can run here; of the others it says that they are skipped.
pub fn available(models: &[Model]) -> Vec<Model> {
    let can_run = |model: &Model| match model.available() {
        Ok(()) => true,
        Err(why) => {
            eprintln!("skipped, because {} can't run here: {why}", model.label);
            false
        }
    };
    models.iter().copied().filter(can_run).collect()
}
