/** The app's API: menus from their own backend, kept fresh by events. There is nothing of Ratecast in the queries. */
import { createApi } from "@reduxjs/toolkit/query"

export const makeApi = ({ baseQuery, events }) => {
  const api = createApi({
    baseQuery,
    tagTypes: ["Menu"],
    endpoints: (build) => ({
      companies: build.query({ query: () => "companies" }),
      menu: build.query({
        query: (company) => `menus/${company}`,
        providesTags: (_menu, _error, company) => [{ type: "Menu", id: company }],
        async onCacheEntryAdded(company, { cacheDataLoaded, cacheEntryRemoved, dispatch, getCacheEntry }) {
          try {
            await cacheDataLoaded
          } catch {
            return
          }
          const leave = events.listen(company, ({ version }) => {
            if (version > (getCacheEntry().data?.version ?? 0))
              dispatch(api.util.invalidateTags([{ type: "Menu", id: company }]))
          })
          await cacheEntryRemoved
          leave()
        }
      })
    })
  })
  return api
}
