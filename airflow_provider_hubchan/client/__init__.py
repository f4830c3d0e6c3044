"""HubSpot's side of the provider. It knows nothing of Airflow; read it from the ground up.

    4   blocking (requests, threads)   aio (aiohttp)      perform stories; on top of blocking: batch, checkup
        recall                                            what earlier tries have done
    3   delivery  report  journal  renewal  watch         the stories, what is told of them, a new day, waiting for statuses
        sessions  shared  checkpoint                      requests itself; one pace and one token for each account; progress
    2   calls  wire  token                                what is sent, what an answer means, the token
        sheet  marks  letter                              the rows on disk, a byte for each, those that were not updated
    1   status  pace  patience  steps  replies            rows, quota, tries, the words of a story, the parts of a reply
    0   errors  account                                   plain values
        claim  lanes  clock  crew                         how many tickets are ours, who comes first; time; threads

A module imports only from floors below its own (tests/test_floors.py holds it).
"""
