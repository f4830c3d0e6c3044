-- A PATCH of one message after the other. Arguments: a bearer token, and how many messages there are.
local path, messages, number = "/conversations/custom-channels/2026-03/100200/messages/message-", 1, 0

function init(args)
  messages = tonumber(args[2])
  wrk.method, wrk.body = "PATCH", '{"statusType": "READ"}'
  wrk.headers["Authorization"], wrk.headers["Content-Type"] = "Bearer " .. args[1], "application/json"
end

function request()
  number = (number + 7919) % messages -- a prime, so that it goes to and fro among them
  return wrk.format(nil, path .. (number + 1))
end

function done(summary, latency, requests)
  io.write(string.format("refused %d\n", summary.errors.status))
end
