# frozen_string_literal: true

# Runs the shared vectors: `ruby vectors.rb [file]`.
require 'json'
require_relative 'revtain_webhook'

$stdout.set_encoding('UTF-8')
file = ARGV[0] || File.join(__dir__, '..', '..', '..', 'test', 'contract', 'signature-vectors-receiver.json')
vectors = JSON.parse(File.read(file, encoding: 'UTF-8'))['vectors']
failed = vectors.count do |vector|
  body = vector['bodyBase64'].unpack1('m0')
  headers, secrets = vector.values_at('headers', 'secrets')
  verified =
    if vector['scheme'] == 'standard'
      RevtainWebhook.verify_standard(body, headers, secrets, now: vector['now'])
    else
      RevtainWebhook.verify_plain(body, headers, secrets)
    end
  passed = verified == (vector['expected'] == 'verified')
  puts "#{passed ? 'pass' : 'FAIL'} #{vector['name']}"
  !passed
end
puts "#{vectors.length - failed} passed, #{failed} failed"
exit(failed.zero?)
