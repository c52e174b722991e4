#pragma once

#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/x509.h>
#include <openssl/x509v3.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <memory>
#include <string>
#include <unistd.h>

namespace breakwater::test {

/// A certificate for `name` signed by itself, and its key, both PEM.
struct certificate {
  std::string pem, key;

  explicit certificate(const std::string& name) {
    std::unique_ptr<EVP_PKEY, decltype(&EVP_PKEY_free)> pair{EVP_EC_gen("P-256"), EVP_PKEY_free};
    std::unique_ptr<X509, decltype(&X509_free)> made{X509_new(), X509_free};
    X509_set_version(made.get(), 2);
    ASN1_INTEGER_set(X509_get_serialNumber(made.get()), 1);
    X509_gmtime_adj(X509_getm_notBefore(made.get()), -3600);
    X509_gmtime_adj(X509_getm_notAfter(made.get()), 3600);
    X509_set_pubkey(made.get(), pair.get());
    auto* subject = X509_get_subject_name(made.get());
    X509_NAME_add_entry_by_txt(subject, "CN", MBSTRING_ASC,
                               reinterpret_cast<const unsigned char*>(name.c_str()), -1, -1, 0);
    X509_set_issuer_name(made.get(), subject);
    const auto alternative = "DNS:" + name;
    auto* extension = X509V3_EXT_conf_nid(nullptr, nullptr, NID_subject_alt_name, alternative.c_str());
    X509_add_ext(made.get(), extension, -1);
    X509_EXTENSION_free(extension);
    X509_sign(made.get(), pair.get(), EVP_sha256());

    std::unique_ptr<BIO, decltype(&BIO_free)> memory{BIO_new(BIO_s_mem()), BIO_free};
    PEM_write_bio_X509(memory.get(), made.get());
    pem = drain(memory.get());
    PEM_write_bio_PrivateKey(memory.get(), pair.get(), nullptr, nullptr, 0, nullptr, nullptr);
    key = drain(memory.get());
  }

private:
  static std::string drain(BIO* memory) {
    std::string text(static_cast<std::size_t>(BIO_pending(memory)), '\0');
    BIO_read(memory, text.data(), static_cast<int>(text.size()));
    return text;
  }
};

/// Makes OpenSSL trust `of` and nothing else while it lives.
struct trusted {
  std::filesystem::path path = std::filesystem::temp_directory_path() /
                               (std::string{"breakwater-ca-"} + std::to_string(::getpid()) + ".pem");
  explicit trusted(const certificate& of) {
    std::ofstream{path} << of.pem;
    ::setenv("SSL_CERT_FILE", path.c_str(), 1);
  }
  ~trusted() {
    ::unsetenv("SSL_CERT_FILE");
    std::filesystem::remove(path);
  }
};

} // namespace breakwater::test
