//! The pages of a column chunk. The stock reader makes a compressor and a decompressor for every chunk, which costs more than the few pages
//! that a small query reads. Here it is told that the chunk is not compressed, so that it hands pages over as they rest, and each thread has
//! one decompressor for all of them.

use std::cell::RefCell;
use std::sync::Arc;

use bytes::Bytes;
use parquet::basic::Compression;
use parquet::column::page::{Page, PageMetadata, PageReader};
use parquet::errors::{ParquetError, Result};
use parquet::file::metadata::ColumnChunkMetaData;
use parquet::file::page_index::offset_index::PageLocation;
use parquet::file::reader::ChunkReader;
use parquet::file::serialized_reader::SerializedPageReader;
use zstd::bulk::Decompressor;

/// Bytes of one page; Grid writes pages of a few MiB at most.
const PAGE_BYTES_MAX: usize = 256 << 20;

/// See the module.
pub(super) struct Pages<R: ChunkReader> {
    pages: SerializedPageReader<R>,
    /// Whether pages come compressed.
    zstd: bool,
}

impl<R: ChunkReader> Pages<R> {
    /// Pages of a chunk with so many rows.
    pub(super) fn new(
        bytes: Arc<R>,
        chunk: &ColumnChunkMetaData,
        rows: usize,
        locations: Option<Vec<PageLocation>>,
    ) -> Result<Self> {
        let zstd = matches!(chunk.compression(), Compression::ZSTD(_));
        let pages = if zstd {
            let chunk = chunk.clone().into_builder().set_compression(Compression::UNCOMPRESSED).build()?;
            SerializedPageReader::new(bytes, &chunk, rows, locations)?
        } else {
            SerializedPageReader::new(bytes, chunk, rows, locations)?
        };
        Ok(Self { pages, zstd })
    }
}

impl<R: ChunkReader> PageReader for Pages<R> {
    fn get_next_page(&mut self) -> Result<Option<Page>> {
        let page = self.pages.get_next_page()?;
        if self.zstd { page.map(decompressed).transpose() } else { Ok(page) }
    }

    fn peek_next_page(&mut self) -> Result<Option<PageMetadata>> {
        self.pages.peek_next_page()
    }

    fn skip_next_page(&mut self) -> Result<()> {
        self.pages.skip_next_page()
    }

    fn at_record_boundary(&mut self) -> Result<bool> {
        self.pages.at_record_boundary()
    }
}

impl<R: ChunkReader> Iterator for Pages<R> {
    type Item = Result<Page>;

    fn next(&mut self) -> Option<Self::Item> {
        self.get_next_page().transpose()
    }
}

fn decompressed(mut page: Page) -> Result<Page> {
    match &mut page {
        Page::DataPage { buf, .. } | Page::DictionaryPage { buf, .. } => *buf = unpack(buf, 0)?,
        // Levels lie before what is compressed.
        Page::DataPageV2 { buf, def_levels_byte_len, rep_levels_byte_len, is_compressed: true, .. } => {
            *buf = unpack(buf, *def_levels_byte_len as usize + *rep_levels_byte_len as usize)?;
        }
        Page::DataPageV2 { .. } => {}
    }
    Ok(page)
}

/// The first bytes as they are, and the others decompressed.
fn unpack(bytes: &Bytes, plain: usize) -> Result<Bytes> {
    thread_local! {
        static ZSTD: RefCell<Option<Decompressor<'static>>> = const { RefCell::new(None) };
    }
    let cut = || ParquetError::General("a page is shorter than its levels".to_owned());
    let (levels, packed) = bytes.split_at_checked(plain).ok_or_else(cut)?;
    if packed.is_empty() {
        return Ok(bytes.clone());
    }
    let size = zstd::zstd_safe::get_frame_content_size(packed).ok().flatten();
    let size = size.and_then(|size| usize::try_from(size).ok()).filter(|size| *size <= PAGE_BYTES_MAX);
    let size = size.ok_or_else(|| {
        ParquetError::General(format!("a compressed page does not say its size, or more than {PAGE_BYTES_MAX} bytes"))
    })?;
    let mut out = Vec::with_capacity(plain + size);
    out.extend_from_slice(levels);
    out.resize(plain + size, 0);
    let written = ZSTD.with_borrow_mut(|zstd| {
        let zstd = match zstd {
            Some(zstd) => zstd,
            none => none.insert(Decompressor::new()?),
        };
        zstd.decompress_to_buffer(packed, &mut out[plain..])
    })?;
    if written != size {
        return Err(ParquetError::General(format!("a page of {size} bytes has {written}")));
    }
    Ok(out.into())
}

#[cfg(test)]
mod tests {
    use arrow::array::{ArrayRef, Int64Array};
    use arrow::record_batch::RecordBatch;
    use parquet::arrow::ArrowWriter;
    use parquet::basic::ZstdLevel;
    use parquet::file::properties::{WriterProperties, WriterVersion};
    use parquet::file::reader::{FileReader as _, SerializedFileReader};

    use super::*;

    fn file(compression: Compression, version: WriterVersion) -> Bytes {
        let numbers: ArrayRef =
            Arc::new((0..5000_i64).map(|n| (n % 7 != 0).then_some(n * n % 300)).collect::<Int64Array>());
        let batch = RecordBatch::try_from_iter([("n", numbers)]).unwrap();
        let properties = WriterProperties::builder()
            .set_compression(compression)
            .set_writer_version(version)
            .set_data_page_row_count_limit(700)
            .set_write_batch_size(100)
            .build();
        let mut out = Vec::new();
        let mut writer = ArrowWriter::try_new(&mut out, batch.schema(), Some(properties)).unwrap();
        writer.write(&batch).unwrap();
        writer.close().unwrap();
        out.into()
    }

    /// Every page of the only column by both readers.
    #[test]
    fn pages_are_those_of_the_stock_reader() {
        let zstd = Compression::ZSTD(ZstdLevel::try_new(3).unwrap());
        for compression in [Compression::UNCOMPRESSED, Compression::SNAPPY, zstd] {
            for version in [WriterVersion::PARQUET_1_0, WriterVersion::PARQUET_2_0] {
                let bytes = file(compression, version);
                let reader = SerializedFileReader::new(bytes.clone()).unwrap();
                let group = reader.metadata().row_group(0);
                let (chunk, rows) = (group.column(0), group.num_rows() as usize);
                let stock = SerializedPageReader::new(Arc::new(bytes.clone()), chunk, rows, None).unwrap();
                let own = Pages::new(Arc::new(bytes), chunk, rows, None).unwrap();
                let shown = |page: Result<Page>| {
                    let page = page.unwrap();
                    (page.page_type(), page.num_values(), page.encoding(), page.buffer().clone())
                };
                let (stock, own): (Vec<_>, Vec<_>) = (stock.map(shown).collect(), own.map(shown).collect());
                assert!(stock.len() > 5, "{compression:?} {version:?}");
                assert_eq!(stock, own, "{compression:?} {version:?}");
            }
        }
    }

    #[test]
    fn damaged_pages_are_errors() {
        let packed = Bytes::from(zstd::bulk::compress(&[7; 1000], 3).unwrap());
        assert_eq!(unpack(&packed, 0).unwrap(), vec![7; 1000]);
        for bad in [packed.slice(..packed.len() - 2), Bytes::from_static(b"no frame"), packed.slice(3..)] {
            assert!(unpack(&bad, 0).is_err(), "{bad:?}");
        }
        assert!(unpack(&packed, packed.len() + 1).is_err());
    }
}
