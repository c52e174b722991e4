#define BOOST_TEST_MODULE breakwater
#include <boost/test/unit_test.hpp>
