# frozen_string_literal: true

# Checks Revtain's webhooks with nothing but Ruby 2.7 and its standard library. Copy this file.
require 'openssl'

module RevtainWebhook
  TOLERANCE_SECONDS = 300

  module_function

  # The dated Standard Webhooks signature. True when one of the secrets signed these bytes within the last five minutes.
  # `body` is the raw body (Rack: request.body.read, Rails: request.raw_post): never parse it first.
  def verify_standard(body, headers, secrets, now: Time.now.to_i)
    id = header(headers, 'webhook-id')
    timestamp = header(headers, 'webhook-timestamp')
    given = header(headers, 'webhook-signature').split(' ')
    return false if id.empty? || id.include?('.') || !timestamp.match?(/\A[0-9]{1,12}\z/)
    return false if (now - timestamp.to_i).abs > TOLERANCE_SECONDS

    signed = "#{id}.#{timestamp}.".b + body.b
    secrets.filter_map { |secret| key(secret.strip) }.any? do |key|
      expected = "v1,#{[OpenSSL::HMAC.digest('SHA256', key, signed)].pack('m0')}"
      given.any? { |each| same?(each, expected) }
    end
  end

  # The plain X-Revtain-Signature. It has no date: remember the ids of events, or an old copy is taken again.
  def verify_plain(body, headers, secrets)
    given = header(headers, 'x-revtain-signature')
    secrets.map(&:strip).reject(&:empty?).any? do |secret|
      same?(given, OpenSSL::HMAC.hexdigest('SHA256', secret, body.b))
    end
  end

  # The key is what the part after whsec_ encodes. Ruby's lenient decoder skips what is no base64, so look first.
  def key(secret)
    found = secret.match(%r{\Awhsec_([A-Za-z0-9+/]+={0,2})\z})
    found && found[1].unpack1('m')
  end

  def header(headers, name)
    _, value = headers.find { |key, _| key.downcase == name }
    (value || '').strip
  end

  # Compares the texts: a decoder would take several spellings of one signature.
  def same?(given, expected)
    given.bytesize == expected.bytesize && OpenSSL.fixed_length_secure_compare(given, expected)
  end
end
