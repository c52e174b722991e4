#include "actors/publisher/spool_format.hpp"

#include "actors/support/crc32c.hpp"
#include "tests/actors/publisher/records.hpp"

#include <boost/test/unit_test.hpp>

#include <string>

using namespace breakwater;
using namespace breakwater::spool_format;
using test::numbered;

namespace {

std::string encoded(const record_list& records, const piece& what, std::uint64_t sequence) {
  std::string bytes(what.bytes, '\0');
  encode(records, what, sequence, bytes.data());
  return bytes;
}

record_list of_size(std::size_t bytes) {
  record_list records;
  records.add("f", std::string(bytes, 'x'));
  records.end_record();
  return records;
}

} // namespace

BOOST_AUTO_TEST_CASE(the_checksum_is_castagnolis) {
  BOOST_TEST(crc32c("123456789") == 0xe3069283u); // the check value of the catalogue of CRCs
  BOOST_TEST(crc32c("") == 0u);
  std::string text;
  for (int i = 0; i < 100; ++i) {
    BOOST_TEST(crc32c(text) == crc32c_by_table(text));
    text += static_cast<char>(i * 37);
  }
}

BOOST_AUTO_TEST_CASE(a_batch_reads_back_as_it_was) {
  const auto list = numbered(1, 50);
  const auto pieces = cut(*list, 10, 30);
  BOOST_REQUIRE(pieces.size() == 1u);
  const auto bytes = encoded(*list, pieces[0], 7);
  const auto read = decode(bytes, 7);
  BOOST_REQUIRE(read);
  BOOST_REQUIRE(read->size() == 20u);
  for (std::size_t i = 0; i < 20; ++i) {
    BOOST_TEST((*read)[i].wire == (*list)[10 + i].wire);
    BOOST_TEST((*read)[i].field_count == (*list)[10 + i].field_count);
  }
  BOOST_TEST(!decode(bytes, 8)); // it is another batch
}

BOOST_AUTO_TEST_CASE(any_changed_bit_is_noticed_and_what_is_whole_can_be_salvaged) {
  const auto list = numbered(1, 5);
  const auto bytes = encoded(*list, cut(*list, 0, 5)[0], 7);
  for (std::size_t i = 0; i < bytes.size() * 8; ++i) {
    auto changed = bytes;
    changed[i / 8] = static_cast<char>(changed[i / 8] ^ (1 << i % 8));
    BOOST_TEST(!decode(changed, 7));
    (void)salvage(changed); // reads nothing that is not there: the sanitizers look
  }
  for (std::size_t size = 0; size < bytes.size(); ++size) {
    BOOST_TEST(!decode(bytes.substr(0, size), 7));
    (void)salvage(bytes.substr(0, size));
  }
  auto value_changed = bytes;
  value_changed[value_changed.size() - 3] = 'x'; // the last digit of the last value
  const auto rest = salvage(value_changed);
  BOOST_REQUIRE(rest);
  BOOST_TEST(rest->size() == 5u);
}

BOOST_AUTO_TEST_CASE(a_list_is_cut_into_batches_of_sixteen_pages_and_large_records_apart) {
  const auto list = numbered(1, 10000);
  const auto pieces = cut(*list, 0, 10000);
  BOOST_TEST(pieces.size() > 2u);
  std::size_t begin = 0;
  for (const auto& piece : pieces) {
    BOOST_TEST(piece.begin == begin);
    BOOST_TEST(piece.bytes <= batch_bytes);
    BOOST_TEST(decode(encoded(*list, piece, 1), 1));
    begin = piece.end;
  }
  BOOST_TEST(begin == 10000u);
  BOOST_TEST(!cut(of_size(record_bytes - 100), 0, 1)[0].too_large);
  BOOST_TEST(cut(of_size(record_bytes), 0, 1)[0].too_large);
}

BOOST_AUTO_TEST_CASE(keys_sort_as_ids_do) {
  const entry_id ids[] = {{0, 1}, {0, 256}, {1, 0}, {255, UINT64_MAX}, {256, 0}, {UINT64_MAX, 0}};
  for (std::size_t i = 0; i + 1 < std::size(ids); ++i) BOOST_TEST((key_of(ids[i]) < key_of(ids[i + 1])));
  for (const auto id : ids) {
    const auto key = key_of(id);
    BOOST_TEST((id_of({reinterpret_cast<const char*>(key.data()), key.size()}) == id));
  }
  BOOST_TEST(!id_of("short"));
}
