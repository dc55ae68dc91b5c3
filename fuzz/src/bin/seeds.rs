//! Writes the seeds of the harness `parquet` into the folder that is named.

fn main() {
    let folder = std::env::args().nth(1).expect("name the folder of the seeds");
    lapidary_fuzz::parquet_seeds(folder.as_ref());
}
