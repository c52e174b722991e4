#pragma once

#include <boost/asio/ssl/context.hpp>
#include <boost/asio/ssl/host_name_verification.hpp>
#include <boost/asio/ssl/verify_mode.hpp>

#include <string>

/// TLS towards exchanges and webhooks, as the edges that dial out need it.
namespace breakwater {

/// TLS 1.2 or newer, OpenSSL's default store of certificates (SSL_CERT_FILE and SSL_CERT_DIR count).
inline boost::asio::ssl::context make_client_tls() {
  namespace ssl = boost::asio::ssl;
  ssl::context tls{ssl::context::tls_client};
  tls.set_default_verify_paths();
  tls.set_options(ssl::context::default_workarounds | ssl::context::no_tlsv1 | ssl::context::no_tlsv1_1);
  return tls;
}

/// Has the handshake name and verify `host`; false if that cannot be.
template <class TlsStream>
[[nodiscard]] bool expect_host(TlsStream& tls, const std::string& host) {
  // Many exchanges share an address: without the name in the greeting the wrong certificate comes.
  if (!SSL_set_tlsext_host_name(tls.native_handle(), host.c_str())) return false;
  tls.set_verify_mode(boost::asio::ssl::verify_peer);
  tls.set_verify_callback(boost::asio::ssl::host_name_verification{host});
  return true;
}

} // namespace breakwater
