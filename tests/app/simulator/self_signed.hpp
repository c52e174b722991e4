#pragma once

#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/x509.h>

#include <boost/test/unit_test.hpp>

#include <cstdio>
#include <filesystem>
#include <memory>
#include <string>

#include <stdlib.h>

namespace breakwater::test {

/// A certificate for "localhost" and its key in two PEM files of a temporary folder, gone with this object.
struct self_signed {
  std::string folder = "/tmp/breakwater-certificate-XXXXXX";
  std::string certificate_file, private_key_file;

  self_signed() {
    BOOST_REQUIRE(::mkdtemp(folder.data()));
    certificate_file = folder + "/certificate.pem";
    private_key_file = folder + "/key.pem";
    const std::unique_ptr<EVP_PKEY, decltype(&EVP_PKEY_free)> key{EVP_EC_gen("P-256"), EVP_PKEY_free};
    const std::unique_ptr<X509, decltype(&X509_free)> certificate{X509_new(), X509_free};
    X509_set_version(certificate.get(), 2);
    ASN1_INTEGER_set(X509_get_serialNumber(certificate.get()), 1);
    X509_gmtime_adj(X509_getm_notBefore(certificate.get()), -3600);
    X509_gmtime_adj(X509_getm_notAfter(certificate.get()), 86400);
    X509_set_pubkey(certificate.get(), key.get());
    auto* name = X509_get_subject_name(certificate.get());
    X509_NAME_add_entry_by_txt(name, "CN", MBSTRING_ASC, reinterpret_cast<const unsigned char*>("localhost"),
                               -1, -1, 0);
    X509_set_issuer_name(certificate.get(), name);
    X509_sign(certificate.get(), key.get(), EVP_sha256());
    write(certificate_file, [&](std::FILE* file) { return PEM_write_X509(file, certificate.get()); });
    write(private_key_file, [&](std::FILE* file) {
      return PEM_write_PrivateKey(file, key.get(), nullptr, nullptr, 0, nullptr, nullptr);
    });
  }
  ~self_signed() {
    std::error_code ignored;
    std::filesystem::remove_all(folder, ignored);
  }
  self_signed(const self_signed&) = delete;
  self_signed& operator=(const self_signed&) = delete;

private:
  template <class F>
  static void write(const std::string& path, F print) {
    const std::unique_ptr<std::FILE, int (*)(std::FILE*)> file{std::fopen(path.c_str(), "w"), std::fclose};
    BOOST_REQUIRE(file);
    BOOST_REQUIRE(print(file.get()) == 1);
  }
};

} // namespace breakwater::test
